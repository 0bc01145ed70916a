//go:build linux

package image

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/environment"
	"github.com/stephost/stephost/host/problem"
)

// TestNoSecretIsInTheImage: what the build was told in confidence is searched for
// in every blob that the registry has, and in all that anybody printed.
func TestNoSecretIsInTheImage(t *testing.T) {
	w := newOwnWorld(t)
	w.bulky(0)
	secrets := []string{"index-pass-7f3a9c", "netrc-pass-91bd22", "variable-5e0c71d4", "registry-pass-c2d8"}
	// A package index that wants credentials, before a directory of wheels.
	links := t.TempDir()
	out, err := exec.Command("python3", "-m", "pip", "download", "--quiet", "--no-deps", "--dest", links, "idna").CombinedOutput()
	require.NoError(t, err, string(out))
	guarded := func(password string) string {
		s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if _, got, _ := r.BasicAuth(); got != password {
				rw.Header().Set("WWW-Authenticate", "Basic")
				rw.WriteHeader(http.StatusUnauthorized)
				return
			}
			serveIndex(links, rw, r)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	inLine, inNetrc := guarded(secrets[0]), guarded(secrets[1])
	u, err := url.Parse(inNetrc)
	require.NoError(t, err)
	netrc := filepath.Join(w.dir, "netrc")
	require.NoError(t, os.WriteFile(netrc, []byte("machine "+u.Hostname()+" login me password "+secrets[1]+"\n"), 0o600))
	w.request.Environ = append(os.Environ(), "NETRC="+netrc, "API_TOKEN="+secrets[2], "STEPHOST_REGISTRY_PASSWORD="+secrets[3], "STEPHOST_REGISTRY_USERNAME=me",
		"UV_NO_CACHE=1", "PIP_NO_CACHE_DIR=1")
	// A requirements file that holds a password is the person's own: a warning
	// says how to keep it out of the source, which is done here.
	w.request.Sources[0].Exclude = []string{"requirements.txt"}
	var printed bytes.Buffer
	for i, line := range []string{"--index-url " + strings.Replace(inLine, "//", "//me:"+secrets[0]+"@", 1) + "/simple/", "--index-url " + inNetrc + "/simple/"} {
		w.write("requirements.txt", line+"\nidna\n")
		w.request.CacheDir = filepath.Join(w.dir, "cache-of-secrets")
		img := w.build()
		assert.Equal(t, i == 0, strings.Contains(strings.Join(img.Warnings, " "), "requirements.txt holds credentials"), "%v", img.Warnings)
		printed.WriteString(strings.Join(append(w.said, img.Warnings...), "\n"))
	}
	w.write("requirements.txt", "--index-url "+strings.Replace(inLine, "//", "//me:wrong"+secrets[0]+"@", 1)+"/simple/\nidna<100\n")
	_, err = environment.PrepareImage(t.Context(), w.request)
	require.Error(t, err)
	printed.WriteString(err.Error())
	var p *problem.Error
	if errors.As(err, &p) {
		printed.WriteString(p.Detail + p.Next)
	}
	for _, s := range secrets {
		assert.NotContains(t, printed.String(), s)
	}
	assert.Greater(t, w.r.grep(t, secrets), 6)
}

// grep looks for secrets in every blob that a registry has on its disk (layers unpacked,
// configs, manifests), and in its log.
func (p *place) grep(t *testing.T, secrets []string) (blobs int) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(filepath.Join(p.dir, "data"), func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || filepath.Base(name) != "data" {
			return err
		}
		blobs++
		text, err := exec.Command("sh", "-c", `gzip -dc "$0" 2>/dev/null || cat "$0"`, name).Output()
		for _, s := range secrets {
			assert.False(t, bytes.Contains(text, []byte(s)), "%s is in a blob", s)
		}
		return err
	}))
	for _, s := range secrets {
		assert.NotContains(t, p.Log(), s)
	}
	return blobs
}

// lacks looks for a secret in an image: in its manifest, its config (labels, history and
// variables are there) and every file of every layer.
func (w *world) lacks(reference, secret string) {
	w.t.Helper()
	img, err := w.r.Pull(w.t.Context(), reference)
	require.NoError(w.t, err)
	manifest, err := img.RawManifest()
	require.NoError(w.t, err)
	config, err := img.RawConfigFile()
	require.NoError(w.t, err)
	assert.NotContains(w.t, string(manifest)+string(config), secret)
	layers, err := img.Layers()
	require.NoError(w.t, err)
	for _, l := range layers {
		files, err := Files(l)
		require.NoError(w.t, err)
		for name, data := range files {
			assert.False(w.t, strings.Contains(name, secret) || bytes.Contains(data, []byte(secret)), name)
		}
	}
}

// TestARegistryWithAPassword: `stephost build` of a project whose step has secrets, for a
// real registry that asks everybody for a password. What does not let it in is told
// with registry, repository and sources; no secret is in what it printed, in its home
// or in anything that was pushed.
func TestARegistryWithAPassword(t *testing.T) {
	w := newWorld(t)
	w.bulky(0)
	const password, wrong = "registry-pass-c2d8", "registry-pass-of-old"
	secrets := []string{password, wrong, "token-of-the-step-77aa", "value-of-env-31bc"}
	dir := t.TempDir()
	// bcrypt of the password, as `htpasswd -B` writes it.
	r, err := StartRegistryWith(dir, RegistryOptions{Htpasswd: "ann:$2b$04$F1pOYevgrQqxZJUR15f3o..NUlvMUTq8nn4Or8hfMgB5v32yycBmu\n"})
	require.NoError(t, err)
	t.Cleanup(r.Stop)
	c := newCLI(t, w)
	w.write("stephost.hcl", fmt.Sprintf(`step "train" {
  operator = "shelf"
  command  = ["python3", "train.py"]
  environment {
    base_image        = %q
    registry          = "%s/ml/train"
    requirements_file = "requirements.txt"
    source {
      path = "."
    }
  }
  secrets = { HF_TOKEN = env("HF_TOKEN") }
  env     = { SETTING = env("SETTING") }
}
`, w.request.BaseImage, r.Host))
	env := append(c.env, "HF_TOKEN="+secrets[2], "SETTING="+secrets[3])
	var printed strings.Builder
	build := func(more ...string) (code int, out, told string) {
		c.env = append(slices.Clip(env), more...)
		cmd, stderr := c.command("build", "train")
		text, _ := cmd.Output()
		printed.WriteString(string(text) + stderr.String())
		return cmd.ProcessState.ExitCode(), string(text), stderr.String()
	}

	code, _, told := build()
	assert.Equal(t, 125, code)
	for _, want := range []string{"the registry " + r.Host + " does not let you push to ml/train", "no credentials: 401", "docker login " + r.Host} {
		assert.Contains(t, told, want)
	}
	code, _, told = build("STEPHOST_REGISTRY_USERNAME=ann", "STEPHOST_REGISTRY_PASSWORD="+wrong)
	assert.Equal(t, 125, code)
	assert.Contains(t, told, "STEPHOST_REGISTRY_USERNAME: 401")

	// The operator's plugin knows the password.
	auth := filepath.Join(w.dir, "shelf", "auth")
	require.NoError(t, os.MkdirAll(filepath.Dir(auth), 0o755))
	require.NoError(t, os.WriteFile(auth, []byte("ann:"+password), 0o600))
	code, out, told := build("STEPHOST_REGISTRY_USERNAME=ann", "STEPHOST_REGISTRY_PASSWORD="+wrong)
	require.Zero(t, code, told)
	assert.Contains(t, out, r.Host+"/ml/train@sha256:")
	require.NoError(t, os.Remove(auth))

	// So does a variable, and there is nothing left to do.
	code, again, told := build("STEPHOST_REGISTRY_USERNAME=ann", "STEPHOST_REGISTRY_PASSWORD="+password)
	require.Zero(t, code, told)
	assert.Equal(t, out, again)
	assert.Contains(t, told, "nothing had to be uploaded")

	assert.Greater(t, (&place{Registry: r, dir: dir}).grep(t, secrets), 5)
	for _, s := range secrets {
		assert.NotContains(t, printed.String(), s)
		found, err := exec.Command("grep", "-rlF", s, c.home).CombinedOutput()
		assert.Error(t, err, "%s is in: %s", s, found)
	}
}
