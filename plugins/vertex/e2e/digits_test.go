package e2e

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/torture"
)

// TestDigits launches a training step from its source: stephost builds the image
// on a base image, pushes it, and submits the job; the fake pulls the image and
// runs the job in it.
func TestDigits(t *testing.T) {
	if !cloudfake.CanChroot() {
		require.NotEqual(t, "true", os.Getenv("CI"), "images can only be run by root")
		t.Skip("SKIPPED, nothing of this was tested: images can only be run by root")
	}
	installShim(t)
	r := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(r.Close)
	host := strings.TrimPrefix(r.URL, "http://")
	pushBase(t, host+"/base:1")
	f, flags := startFake(t, true)
	require.NoError(t, f.AddLife(context.Background(), cloudfake.LifeRule{Life: cloudfake.Life{LogsLateMS: 300, LogsShuffled: true}}))
	w := newWorld(t)
	code, _, stderr := w.run(append([]string{"operator", "register", "gpu"}, flags...)...)
	require.Zero(t, code, stderr)

	source := filepath.Join(w.dir, "src")
	require.NoError(t, os.Mkdir(source, 0o700))
	writeDigits(t, filepath.Join(source, "digits.json"))
	result := filepath.Join(w.dir, "result.json")
	launch := func(more ...string) (int, string, string) {
		return w.run(append([]string{"launch", "--operator", "gpu", "--base-image", host + "/base:1", "--registry", host + "/steps", "--source", source,
			"--pipeline", "digits", "--step-name", "train", "--result-file", result}, more...)...)
	}
	code, stdout, stderr := launch("--", "/bin/digits", "--epochs", "5")
	require.Zero(t, code, "%s\n%s", stdout, stderr)
	for epoch := 1; epoch <= 5; epoch++ {
		assert.Contains(t, stdout, fmt.Sprintf("epoch %d/5 loss", epoch))
	}
	text, err := os.ReadFile(result)
	require.NoError(t, err)
	var got struct {
		Class   string `json:"class"`
		Outputs []struct {
			Name     string `json:"name"`
			Location string `json:"location"`
		} `json:"outputs"`
		Values map[string]any `json:"values"`
	}
	require.NoError(t, json.Unmarshal(text, &got))
	require.Len(t, got.Outputs, 1, "%s", text)
	assert.Equal(t, "model.json", got.Outputs[0].Name)
	assert.Contains(t, got.Outputs[0].Location, "gs://fake-bucket/stephost/outputs/")
	assert.Contains(t, got.Values, "accuracy")

	code, _, stderr = launch("--", "/bin/digits", "--no-such-flag")
	assert.Equal(t, 2, code, "the step's own exit code: %s", stderr)
	assert.Contains(t, stderr, "no-such-flag", "its standard error")
}

// installShim puts the shim where the stephost that was built looks for it.
func installShim(t *testing.T) {
	dir := filepath.Join(filepath.Dir(filepath.Dir(torture.Stephost())), "libexec", "stephost", "shim")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	data, err := os.ReadFile(programs.Shim)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "stephost-init-linux-amd64"), data, 0o755))
}

// pushBase pushes an image that holds the program alone.
func pushBase(t *testing.T, reference string) {
	program := filepath.Join(t.TempDir(), "digits")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "./internal/digits")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	data, err := os.ReadFile(program)
	require.NoError(t, err)
	var layer bytes.Buffer
	tw := tar.NewWriter(&layer)
	require.NoError(t, tw.WriteHeader(&tar.Header{Name: "bin/digits", Mode: 0o755, Size: int64(len(data)), Typeflag: tar.TypeReg}))
	_, err = tw.Write(data)
	require.NoError(t, err)
	require.NoError(t, tw.Close())
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer.Bytes())), nil })
	require.NoError(t, err)
	img, err := mutate.AppendLayers(empty.Image, l)
	require.NoError(t, err)
	img, err = mutate.ConfigFile(img, config(t, img))
	require.NoError(t, err)
	ref, err := name.ParseReference(reference)
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, img))
}

// config says for which machines the image is.
func config(t *testing.T, img v1.Image) *v1.ConfigFile {
	c, err := img.ConfigFile()
	require.NoError(t, err)
	c = c.DeepCopy()
	c.OS, c.Architecture = "linux", "amd64"
	return c
}

// writeDigits writes pictures of ten digits, a few of each.
func writeDigits(t *testing.T, path string) {
	type picture struct {
		Label  int   `json:"label"`
		Pixels []int `json:"pixels"`
	}
	var all []picture
	for n := range 50 {
		p := picture{Label: n % 10, Pixels: make([]int, 64)}
		for i := range p.Pixels {
			p.Pixels[i] = (i*(n%10+3) + n/10) % 16
		}
		all = append(all, p)
	}
	text, err := json.Marshal(all)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, text, 0o600))
}
