package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/cli"
	"github.com/stephost/stephost/test/image"
	"github.com/stephost/stephost/test/torture"
)

// baseBound is for the download of a base image's packages.
const baseBound = 5 * time.Minute

// TestDigits: the example of the repository, as it is. stephost builds its image
// without a daemon and pushes it to a registry that wants a login; the fake pulls
// it with the login that it is given, and runs the step in it.
func TestDigits(t *testing.T) {
	if err := image.Missing(); err != nil || !cloudfake.CanChroot() {
		const why = "SKIPPED, NOTHING OF THIS WAS TESTED: images can only be made and run by root, with the packages of test/image"
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI must run this test: %s: %v", why, err)
		}
		t.Skipf("%s: %v", why, err)
	}
	host := privateRegistry(t)
	pushBase(t, host+"/base/python:debian")
	installShim(t)
	l := cli.New(t)
	startFake(t, l.Dir)
	dockerLogin(t, l.Dir, host)
	root, err := torture.Root()
	require.NoError(t, err)
	digits := filepath.Join(root, "examples", "digits")
	result := filepath.Join(l.Dir, "result.json")
	launch := func(operator string, argv ...string) (int, string, string) {
		return l.Run(append([]string{"launch", "--operator", operator, "--base-image", host + "/base/python:debian", "--registry", host + "/steps",
			"--requirements-file", filepath.Join(digits, "requirements.txt"), "--source", digits, "--platform", "linux/" + runtime.GOARCH,
			"--pipeline", "digits", "--step-name", "train", "--result-file", result, "--"}, argv...)...)
	}
	l.OK("operator", "register", "modal", "--flavor=modal", "--output-volume=results")
	code, _, stderr := launch("modal", "python3", "train.py", "--epochs", "2")
	assert.Equal(t, 125, code)
	assert.Contains(t, cli.Flat(stderr), "a private registry needs registry_secret or registry_login")

	l.OK("operator", "register", "login", "--flavor=modal", "--output-volume=results", "--registry-login=true")
	code, stdout, stderr := launch("login", "python3", "train.py", "--epochs", "20")
	require.Zero(t, code, "%s\n%s", stdout, stderr)
	assert.Contains(t, stdout, "epoch 20/20 loss ")
	assert.Contains(t, stdout, "accuracy on the held-out part: 0.9")
	text, err := os.ReadFile(result)
	require.NoError(t, err)
	var got struct {
		Class   string `json:"class"`
		Outputs []struct{ Name, Location string }
		Values  map[string]any `json:"values"`
	}
	require.NoError(t, json.Unmarshal(text, &got))
	require.Len(t, got.Outputs, 1, "%s", text)
	assert.Equal(t, "model.pkl", got.Outputs[0].Name)
	assert.Contains(t, got.Outputs[0].Location, "modal-volume://results/")
	assert.Greater(t, got.Values["accuracy"], 0.9)

	code, _, stderr = launch("login", "python3", "train.py", "--no-such-flag")
	assert.Equal(t, 2, code, "the step's own exit code: %s", stderr)
	assert.Contains(t, stderr, "no-such-flag", "its standard error")
}

const user, password = "robot", "let me in"

// privateRegistry is a registry that wants a login.
func privateRegistry(t *testing.T) string {
	open := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	r := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, ok := r.BasicAuth(); !ok || u != user || p != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`, http.StatusUnauthorized)
			return
		}
		open.ServeHTTP(w, r)
	}))
	t.Cleanup(r.Close)
	return strings.TrimPrefix(r.URL, "http://")
}

// pushBase pushes a base image with a real Python.
func pushBase(t *testing.T, reference string) {
	ctx, cancel := context.WithTimeout(t.Context(), baseBound)
	defer cancel()
	require.NoError(t, os.MkdirAll(image.CacheDir(), 0o755))
	base, err := image.MakeBase(ctx, image.CacheDir())
	require.NoError(t, err)
	ref, err := name.NewTag(reference)
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, base, remote.WithContext(ctx), remote.WithAuth(&authn.Basic{Username: user, Password: password})))
}

// dockerLogin is what `docker login` leaves below home.
func dockerLogin(t *testing.T, home, host string) {
	dir := filepath.Join(home, ".docker")
	require.NoError(t, os.Mkdir(dir, 0o700))
	auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}}}`, host, auth), 0o600))
}

// installShim puts the shim where the stephost that was built looks for it.
func installShim(t *testing.T) {
	dir := filepath.Join(filepath.Dir(filepath.Dir(torture.Stephost())), "libexec", "stephost", "shim")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, image.BuildShim(dir))
}
