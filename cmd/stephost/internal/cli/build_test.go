package cli_test

import (
	"encoding/json"
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
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// imageWorld is a world whose flavor takes images, with a registry. It returns the
// registry's name.
func imageWorld(t *testing.T) (*world, string) {
	w := newWorld(t)
	setenv(t, "DOCKER_CONFIG", filepath.Join(w.base, "docker"))
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(s.Close)
	host := strings.TrimPrefix(s.URL, "http://")
	ref, err := name.ParseReference(host+"/base:1", name.Insecure)
	require.NoError(t, err)
	base, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "amd64", RootFS: v1.RootFS{Type: "layers"}})
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, base))

	const source = "../../../../host/testdata/imageflavor"
	plugin := filepath.Join(w.base, "plugins", "stephost-flavor-shelf")
	text, err := exec.CommandContext(t.Context(), "go", "build", "-o", plugin, source).CombinedOutput()
	require.NoError(t, err, string(text))
	manifest, err := os.ReadFile(filepath.Join(source, "flavor.hcl"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(plugin+".flavor.hcl", manifest, 0o600))
	self, err := os.Executable()
	require.NoError(t, err)
	shims := filepath.Join(filepath.Dir(self), "shim") // beside what runs stephost
	require.NoError(t, os.MkdirAll(shims, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(shims, "stephost-init-linux-amd64"), []byte("shim"), 0o755))

	r := w.run("flavor", "register", plugin)
	require.Zero(t, r.code, r.err)
	w.write("train.py", "print()\n")
	w.write("stephost.hcl", `operator "there" {
  flavor = "shelf"
  config {
    dir = "/nowhere"
  }
}

step "train" {
  operator = "there"
  command  = ["python", "train.py"]
  environment {
    base_image = "`+host+`/base:1"
    registry   = "`+host+`/ml"
    source {
      path = "."
    }
  }
}
`)
	return w, host
}

func TestBuild(t *testing.T) {
	w, host := imageWorld(t)
	r := w.run("plan", "train", "-C", w.dir, "--online")
	// The flavor has no Scope to resolve online: what counts is the image.
	for _, want := range []string{"base         " + host + "/base@sha256:HASH for linux/amd64", "goes to      " + host + "/ml", "layer        source, would be packed", "shim,",
		"environment.registry        \"" + host + "/ml\""} {
		assert.Contains(t, r.out, want)
	}

	r = w.run("build", "train", "-C", w.dir)
	require.Zero(t, r.code, r.err)
	assert.Equal(t, host+"/ml@sha256:HASH\n", r.out, "stdout is the image alone")
	assert.Contains(t, r.err, "packing the source")
	assert.Contains(t, r.err, "uploaded, in")

	r = w.run("build", "-C", w.dir)
	require.Zero(t, r.code, r.err)
	assert.Contains(t, r.err, "nothing had to be uploaded")

	r = w.run("build", "train", "-C", w.dir, "-o", "json")
	require.Zero(t, r.code, r.err)
	assert.Empty(t, r.err)
	var doc struct {
		V    int
		Item struct {
			Reference, Pushed, Base, Platform string
			Shim                              bool
			UploadedBytes                     *int64 `json:"uploaded_bytes"`
			Layers                            []struct{ Kind, State string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(r.out), &doc))
	assert.Equal(t, host+"/ml@sha256:HASH", doc.Item.Reference)
	assert.True(t, doc.Item.Shim)
	assert.Equal(t, "linux/amd64", doc.Item.Platform)
	require.NotNil(t, doc.Item.UploadedBytes)
	assert.Zero(t, *doc.Item.UploadedBytes)
	require.Len(t, doc.Item.Layers, 2)
	assert.Equal(t, "present", doc.Item.Layers[1].State)

	r = w.run("build", "train", "more", "-C", w.dir)
	assert.Equal(t, 125, r.code)
	assert.Contains(t, r.err, `takes one step, and got "more" too`)
	r = w.run("build", "train", "-C", w.dir, "--base-image", host+"/base:none")
	assert.Equal(t, 125, r.code)
	assert.Contains(t, r.err, "there is no image "+host+"/base:none")
	assert.Contains(t, r.err, "Next:")
	r = w.run("build", "-C", w.base, "--operator", "none", "--base-image", host+"/base:1")
	assert.NotZero(t, r.code)
}
