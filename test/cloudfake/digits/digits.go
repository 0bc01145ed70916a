//go:build linux

// Package digits launches the example of the repository on the fake of a service:
// stephost builds its image on a base with a real Python, with scikit-learn as it
// comes from the package index, and pushes it; the fake pulls it and trains in it.
package digits

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/cloudfake/cli"
	"github.com/stephost/stephost/test/image"
	"github.com/stephost/stephost/test/torture"
)

const (
	// epochs of the training.
	epochs = 20
	// baseBound is for the download of the base image's packages.
	baseBound = 5 * time.Minute
)

// Run trains on an operator with these flags. at is how the addresses of its
// outputs begin.
func Run(t *testing.T, at string, operator ...string) {
	if err := image.Missing(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI must run this test, as root and with the packages of test/image:", err)
		}
		t.Skip("SKIPPED, NOTHING OF THIS WAS TESTED:", err)
	}
	l := cli.New(t)
	host := startRegistry(t)
	pushBase(t, host+"/base:1")
	installShim(t)
	root, err := torture.Root()
	require.NoError(t, err)
	source := filepath.Join(root, "examples", "digits")
	l.OK(append([]string{"operator", "register", "gpu", "--base-image=" + host + "/base:1", "--registry=" + host + "/steps",
		"--platform=linux/" + runtime.GOARCH}, operator...)...)
	result := filepath.Join(l.Dir, "result.json")
	launch := func(more ...string) (int, string, string) {
		return l.Run(append([]string{"launch", "--operator", "gpu", "--requirements-file", filepath.Join(source, "requirements.txt"), "--source", source,
			"--pipeline", "digits", "--step-name", "train", "--result-file", result, "--", "python3", "train.py"}, more...)...)
	}
	code, stdout, stderr := launch("--epochs", fmt.Sprint(epochs))
	require.Zero(t, code, "%s\n%s", stdout, stderr)
	// The log is complete: every line, once. Fakes write some late, as their services do.
	lines := strings.Split(stdout, "\n")
	var told []string
	for _, line := range lines {
		if strings.HasPrefix(line, "epoch ") {
			told = append(told, strings.Fields(line)[1])
		}
	}
	var want []string
	for n := 1; n <= epochs; n++ {
		want = append(want, fmt.Sprintf("%d/%d", n, epochs))
	}
	assert.ElementsMatch(t, want, told)
	assert.Contains(t, stdout, "digits: 1347 to learn from, 450 held out")
	assert.Contains(t, stdout, "accuracy on the held-out part: 0.9")
	got := readResult(t, result)
	assert.Equal(t, "succeeded", got.Class)
	assert.Greater(t, got.Values["accuracy"], 0.9)
	require.Len(t, got.Outputs, 1)
	assert.Equal(t, "model.pkl", got.Outputs[0].Name)
	assert.True(t, strings.HasPrefix(got.Outputs[0].Location, at), got.Outputs[0].Location)

	// The model is fetched, and is what the step says that it wrote.
	to := filepath.Join(l.Dir, "model")
	code, stdout, stderr = l.Run("run", "outputs", got.Run, "--get", to)
	require.Zero(t, code, stderr)
	assert.Equal(t, filepath.Join(to, "model.pkl")+"\n", stdout)
	info, err := os.Stat(filepath.Join(to, "model.pkl"))
	require.NoError(t, err)
	assert.Contains(t, lines, fmt.Sprintf("model: %d bytes", info.Size()))

	// Two of the services have one log for both streams.
	code, stdout, stderr = launch("--no-such-flag")
	assert.Equal(t, 2, code, "the step's own exit code: %s", stderr)
	assert.Contains(t, stdout+stderr, "no-such-flag")
}

type result struct {
	Run     string `json:"run"`
	Class   string `json:"class"`
	Outputs []struct {
		Name     string `json:"name"`
		Location string `json:"location"`
	} `json:"outputs"`
	Values map[string]float64 `json:"values"`
}

func readResult(t *testing.T, path string) (r result) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &r), "%s", text)
	return r
}

func startRegistry(t *testing.T) (host string) {
	r := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(r.Close)
	return strings.TrimPrefix(r.URL, "http://")
}

func pushBase(t *testing.T, reference string) {
	ctx, cancel := context.WithTimeout(t.Context(), baseBound)
	defer cancel()
	require.NoError(t, os.MkdirAll(image.CacheDir(), 0o755))
	base, err := image.MakeBase(ctx, image.CacheDir())
	require.NoError(t, err)
	ref, err := name.ParseReference(reference)
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, base, remote.WithContext(ctx)))
}

// installShim puts the shim where an installation has it.
func installShim(t *testing.T) {
	shims := filepath.Join(filepath.Dir(torture.Stephost()), "shim")
	require.NoError(t, os.MkdirAll(shims, 0o755))
	require.NoError(t, image.BuildShim(shims))
}
