package image

import (
	"context"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/environment/source"
)

func TestBuild(t *testing.T) {
	w := newWorld(t)
	res := w.mustBuild()
	assert.True(t, res.Shim)
	assert.Equal(t, res.Pushed, res.Reference)
	assert.True(t, strings.HasPrefix(res.Reference, w.s.host+"/ml@sha256:"), res.Reference)
	assert.True(t, strings.HasPrefix(res.Base, w.s.host+"/base/py@sha256:"), res.Base)
	assert.Equal(t, 2, res.SourceFiles)
	assert.NotContains(t, w.output(), "travel", "the base lies in the same registry")

	img := w.s.pull(t, res.Reference)
	require.NoError(t, validate.Image(img), "digests, sizes and diff IDs agree")
	cfg, err := img.ConfigFile()
	require.NoError(t, err)
	assert.Equal(t, []string{"/.stephost/init"}, cfg.Config.Entrypoint)
	assert.Empty(t, cfg.Config.Cmd)
	assert.Equal(t, "/stephost/src", cfg.Config.WorkingDir)
	assert.Equal(t, "1000", cfg.Config.User)
	assert.Contains(t, cfg.Config.Env, "LANG=C.UTF-8")
	assert.Contains(t, cfg.Config.Env, "PATH=/usr/local/bin:/usr/bin:/bin", "no requirements, no directory of theirs")
	assert.Equal(t, "0.1.0", cfg.Config.Labels["dev.stephost.version"])
	assert.Contains(t, cfg.Config.Labels, "dev.stephost.key.source")
	layers, err := img.Layers()
	require.NoError(t, err)
	require.Len(t, layers, 5)

	shim := untar(t, layers[3])
	assert.Equal(t, ".stephost/", shim[0].Name)
	assert.Equal(t, ".stephost/init", shim[1].Name)
	assert.Equal(t, int64(0o755), shim[1].Mode)
	var names []string
	for _, f := range untar(t, layers[4]) {
		names = append(names, f.Name)
		assert.Equal(t, 0, f.Uid+f.Gid)
		assert.True(t, f.ModTime.Equal(epoch()), f.Name)
	}
	assert.Equal(t, []string{"stephost/", "stephost/src/", "stephost/src/pkg/", "stephost/src/pkg/util.py", "stephost/src/train.py"}, names)
}

// TestNothingChanged: a second build asks what the tag names and whether the image
// is there, and nothing else.
func TestNothingChanged(t *testing.T) {
	w := newWorld(t)
	first := w.mustBuild()
	sent := w.s.sent.Load()
	var again *Result
	lines := w.s.since(func() { again = w.mustBuild() })
	assert.Equal(t, first.Reference, again.Reference)
	assert.Equal(t, sent, w.s.sent.Load(), "0 bytes")
	assert.Equal(t, int64(0), again.UploadedBytes)
	for _, l := range again.Layers {
		assert.Equal(t, Present, l.State)
		assert.True(t, l.Cached)
	}
	assert.ElementsMatch(t, []string{"HEAD /v2/base/py/manifests/1", "HEAD /v2/ml/manifests/" + first.Reference[strings.Index(first.Reference, "sha256:"):]}, lines)
}

// TestQuestionsOfACodeChange: one for the base, one each for the image, the last one
// and the new layer; then two uploads of two requests and the manifest.
func TestQuestionsOfACodeChange(t *testing.T) {
	w := newWorld(t)
	w.mustBuild()
	w.file("train.py", "print('changed')\n")
	lines := w.s.since(func() { w.mustBuild() })
	count := map[string]int{}
	for _, l := range lines {
		method, _, _ := strings.Cut(l, " ")
		count[method]++
	}
	assert.Equal(t, map[string]int{"HEAD": 4, "POST": 2, "PUT": 3}, count, lines)

	// The image of the last build is gone from the registry, and its layers with it.
	w.s.inner = registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	w.s.put(t, "base/py:1", pythonBase(t))
	res := w.mustBuild()
	require.NoError(t, validate.Image(w.s.pull(t, res.Reference)))
}

// TestTheRegistryChanged: what was remembered of it is asked anew.
func TestTheRegistryChanged(t *testing.T) {
	w := newWorld(t)
	w.mustBuild()
	w.guard("ann", "secret", any1)
	w.request.Environ = []string{usernameEnv + "=ann", passwordEnv + "=secret"}
	w.file("train.py", "print('changed')\n")
	w.mustBuild()
	w.s.faults(nil)
	w.request.Environ = []string{}
	w.file("train.py", "print('again')\n")
	w.mustBuild()

	// The other scheme at the same address.
	c := newConnector(&w.request)
	defer c.close()
	c.keeps = true
	c.keep(w.s.host, &pingAnswer{Scheme: "https", Code: 200})
	w.file("train.py", "print('https')\n")
	res := w.mustBuild()
	require.NoError(t, validate.Image(w.s.pull(t, res.Reference)))
}

// TestAnOpenRegistryNeedsNoPlugin: to start it would take longer than the build.
func TestAnOpenRegistryNeedsNoPlugin(t *testing.T) {
	w := newWorld(t)
	w.request.Auth = func(context.Context, AuthRequest) (*Credentials, error) {
		t.Error("the plugin was asked")
		return nil, nil
	}
	w.mustBuild()
}

func TestOnlyTheSourceChanged(t *testing.T) {
	w := newWorld(t)
	first := w.mustBuild()
	w.file("train.py", "print('changed')\n")
	sent := w.s.sent.Load()
	res := w.mustBuild()
	assert.NotEqual(t, first.Reference, res.Reference)
	assert.Equal(t, "base:present base:present base:present shim:present source:uploaded", states(res))
	last := res.Layers[len(res.Layers)-1]
	assert.Equal(t, last.Size, res.UploadedBytes)
	config := w.s.sent.Load() - sent - last.Size
	assert.Less(t, config, int64(4<<10), "besides the source layer only the config was sent")
	assert.Greater(t, config, int64(0))
}

// TestSameEverywhere: another directory, cache, user's umask and time zone give the
// same digest.
func TestSameEverywhere(t *testing.T) {
	w := newWorld(t)
	first := w.mustBuild()
	t.Setenv("TZ", "Pacific/Kiritimati")
	other := newWorld(t)
	other.request.BaseImage, other.request.Push = w.request.BaseImage, w.request.Push
	old := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	require.NoError(t, os.Chtimes(filepath.Join(other.app, "train.py"), old, old))
	require.NoError(t, os.Chmod(filepath.Join(other.app, "train.py"), 0o600))
	require.NoError(t, os.Chmod(filepath.Join(other.app, "pkg"), 0o700))
	sent := w.s.sent.Load()
	res := other.mustBuild()
	assert.Equal(t, first.Reference, res.Reference)
	assert.Equal(t, sent, w.s.sent.Load(), "an empty cache makes the same layers, which are there")
}

func TestTwoAtOnceBuildOnce(t *testing.T) {
	w := newWorld(t)
	w.file("big.bin", strings.Repeat("x", 4<<20))
	const n = 6
	results := make([]*Result, n)
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { results[i], errs[i] = w.build() })
	}
	all.Wait()
	var uploads int64
	for i := range n {
		require.NoError(t, errs[i])
		assert.Equal(t, results[0].Reference, results[i].Reference)
		uploads += results[i].UploadedBytes
	}
	var own int64
	for _, l := range results[0].Layers {
		if l.Kind != Base {
			own += l.Size
		}
	}
	// The mounted base layers are global in this registry: nothing is sent for them.
	assert.Equal(t, own, uploads, "each layer was sent once")
	assert.Equal(t, 1, strings.Count(w.output(), "packing the source"))
}

func TestOtherPlatformOfAnIndexAndOtherImages(t *testing.T) {
	w := newWorld(t)
	w.request.Platform = "linux/arm64"
	_, err := w.build()
	assert.ErrorContains(t, err, "is an image for linux/amd64, and linux/arm64 is wanted")
	w.request.Platform = "arm"
	_, err = w.build()
	assert.ErrorContains(t, err, "no platform")
	w.request.Platform, w.request.BaseImage = "", w.s.host+"/base/py:none"
	_, err = w.build()
	assert.ErrorContains(t, err, "there is no image")
}

func TestPullName(t *testing.T) {
	w := newWorld(t)
	w.request.Pull = "kind-registry:5000/ml"
	res := w.mustBuild()
	assert.True(t, strings.HasPrefix(res.Reference, "kind-registry:5000/ml@sha256:"), res.Reference)
	assert.True(t, strings.HasPrefix(res.Pushed, w.s.host+"/ml@sha256:"), res.Pushed)
}

func TestNothingToBuildOn(t *testing.T) {
	for _, tc := range []struct {
		r    Request
		want string
	}{
		{Request{}, "names no image"},
		{Request{BaseImage: "python:3.11", Sources: []source.Root{{Path: "."}}}, "there is no registry for it"},
		{Request{BaseImage: "python:3.11", Requirements: []string{"six"}}, "there is no registry for it"},
		{Request{Dockerfile: "Dockerfile"}, "needs a registry"},
		{Request{Image: "a/b:c", Requirements: []string{"six"}}, "image is run as it is"},
		{Request{BaseImage: "NO", Push: "localhost:1/x"}, "no name of an image"},
	} {
		tc.r.CacheDir = t.TempDir()
		_, err := Build(t.Context(), tc.r)
		assert.ErrorContains(t, err, tc.want)
	}
}

func TestGivenImage(t *testing.T) {
	w := newWorld(t)
	built := w.mustBuild()
	w.request = Request{Image: w.request.BaseImage, CacheDir: w.request.CacheDir, Environ: []string{}}
	res := w.mustBuild()
	assert.False(t, res.Shim)
	assert.Equal(t, built.Base, res.Reference, "a tag becomes what it names now")

	w.request.Image = built.Base
	assert.Equal(t, built.Base, w.mustBuild().Reference)

	w.request.Image = w.s.host + "/base/py@sha256:" + strings.Repeat("0", 64)
	_, err := w.build()
	assert.ErrorContains(t, err, "there is no image")

	w.s.Close()
	w.request.Image = built.Base
	res = w.mustBuild()
	assert.Equal(t, built.Base, res.Reference)
	require.Len(t, res.Warnings, 1)
	assert.Contains(t, res.Warnings[0], "could not be checked")
	w.request.Image = w.s.host + "/base/py:1"
	_, err = w.build()
	assert.ErrorContains(t, err, "cannot pull from base/py")
}

func TestGPUVariables(t *testing.T) {
	w := newWorld(t)
	w.request.GPU = 1
	cfg, err := w.s.pull(t, w.mustBuild().Reference).ConfigFile()
	require.NoError(t, err)
	assert.Contains(t, cfg.Config.Env, "NVIDIA_VISIBLE_DEVICES=all")
	assert.Contains(t, cfg.Config.Env, "NVIDIA_DRIVER_CAPABILITIES=compute,utility")
}

// TestGivenGPU: nothing is set in an image that is run as it is, so what it says
// itself counts. Its packages are not read, and so not judged.
func TestGivenGPU(t *testing.T) {
	w := newWorld(t)
	w.request = Request{Image: w.request.BaseImage, CacheDir: w.request.CacheDir, Environ: []string{}, GPU: 1}
	assert.Empty(t, w.mustBuild().Warnings)

	img := pythonBase(t)
	cfg, err := img.ConfigFile()
	require.NoError(t, err)
	cfg = cfg.DeepCopy()
	cfg.Config.Env = append(cfg.Config.Env, "NVIDIA_VISIBLE_DEVICES=void")
	img, err = mutate.ConfigFile(img, cfg)
	require.NoError(t, err)
	w.request.Image = w.s.put(t, "ml/hidden:1", img)
	warnings := w.mustBuild().Warnings
	require.Len(t, warnings, 1)
	assert.Contains(t, warnings[0], `NVIDIA_VISIBLE_DEVICES="void", which hides every GPU: set env =`)
	w.request.GPU = 0
	assert.Empty(t, w.mustBuild().Warnings)
}

func TestBaseAlone(t *testing.T) {
	w := newWorld(t)
	w.request.Push, w.request.Sources = "", nil
	res := w.mustBuild()
	assert.False(t, res.Shim)
	assert.Equal(t, res.Base, res.Reference)
}
