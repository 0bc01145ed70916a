package image

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/environment/internal/wheel"
)

// plain is this process's environment without what pip and uv were told.
func plain(extra ...string) []string {
	list := append([]string{"PIP_CONFIG_FILE=" + os.DevNull, "PIP_NO_INDEX=1", "UV_NO_CONFIG=1"}, extra...)
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "PIP_") && !strings.HasPrefix(kv, "UV_") && !strings.HasPrefix(kv, "STEPHOST_") {
			list = append(list, kv)
		}
	}
	return list
}

func withWheels(t *testing.T, w *world) {
	t.Helper()
	for _, p := range []struct{ name, version string }{{"tiny", "1.0"}, {"tiny", "2.0"}, {"pip", "24.0"}} {
		_, err := wheel.Write(filepath.Join(w.dir, "wheels"), p.name, p.version)
		require.NoError(t, err)
	}
	w.request.Environ = plain()
	w.request.RequirementsFile = w.file("requirements.txt", "-f ../wheels\ntiny==1.0\npip\n")
}

func TestRequirementsLayer(t *testing.T) {
	w := newWorld(t)
	withWheels(t, w)
	res := w.mustBuild()
	assert.Equal(t, "base:present base:present base:present shim:uploaded requirements:uploaded source:uploaded", states(res))
	require.Len(t, res.Packages, 1)
	assert.Equal(t, "tiny", res.Packages[0].Name)
	require.Len(t, res.Satisfied, 1, "the base has pip")
	assert.Equal(t, "pip", res.Satisfied[0].Name)

	img := w.s.pull(t, res.Reference)
	require.NoError(t, validate.Image(img))
	cfg, err := img.ConfigFile()
	require.NoError(t, err)
	assert.Contains(t, cfg.Config.Env, "PATH=/stephost/bin:/usr/local/bin:/usr/bin:/bin")
	layers, err := img.Layers()
	require.NoError(t, err)
	names := map[string]string{}
	for _, f := range untar(t, layers[4]) {
		names[f.Name] = f.text
		assert.True(t, f.ModTime.Equal(epoch()), f.Name)
	}
	assert.Equal(t, "version = \"1.0\"\n", names["stephost/lib/tiny.py"])
	assert.Contains(t, names[site+"stephost.pth"], "/stephost/lib")
	assert.NotContains(t, names, "usr/", "no directory of the base is touched")

	// Nothing changed: nothing is resolved, read or sent.
	sent := w.s.sent.Load()
	lines := w.s.since(func() { res = w.mustBuild() })
	assert.Equal(t, sent, w.s.sent.Load())
	for _, l := range lines {
		assert.NotContains(t, l, "/blobs/")
	}

	// A plan knows what came out, too.
	p, err := Describe(t.Context(), w.request, true)
	require.NoError(t, err)
	assert.Zero(t, p.UploadBytes)
	var planned []string
	for _, l := range p.Layers {
		planned = append(planned, fmt.Sprintf("%s:%s:%t", l.Kind, l.State, l.Cached))
	}
	assert.Equal(t, []string{"base:present:true", "shim:present:true", "requirements:present:true", "source:present:true"}, planned)

	// Another version: requirements and source (the file lies in it), not the shim.
	// The layers of the base were read once for its digest.
	w.file("requirements.txt", "-f ../wheels\ntiny==2.0\n")
	lines = w.s.since(func() { res = w.mustBuild() })
	assert.Equal(t, "base:present base:present base:present shim:present requirements:uploaded source:uploaded", states(res))
	assert.NotContains(t, strings.Join(lines, "\n"), "GET /v2/base/py/blobs/")
}

// TestGPUReadsWhatCameOut: the wheels that were resolved decide, not what was written.
// Before a build they are not known, and nothing is said of them; after it a plan and
// doctor warn as the build did.
func TestGPUReadsWhatCameOut(t *testing.T) {
	w := newWorld(t)
	for _, version := range []string{"2.4.0", "2.5.1+cpu"} {
		_, err := wheel.Write(filepath.Join(w.dir, "wheels"), "torch", version)
		require.NoError(t, err)
	}
	w.request.Environ = plain()
	w.request.Requirements = []string{"-f " + filepath.Join(w.dir, "wheels"), "torch"}
	w.request.GPU, w.request.GPUType = 1, "a10g"
	said := func() (plan, doctor string) {
		p, err := Describe(t.Context(), w.request, true)
		require.NoError(t, err)
		var found []string
		for _, f := range Check(t.Context(), w.request) {
			require.NoError(t, f.Err)
			found = append(found, fmt.Sprint(f.Warning, " ", f.Text))
		}
		return strings.Join(append(p.Warnings, p.Unknown...), "\n"), strings.Join(found, "\n")
	}
	plan, doctor := said()
	assert.NotContains(t, plan+doctor, "nothing in the image uses")
	assert.Contains(t, plan, unknownPackages)
	assert.Contains(t, doctor, "false "+unknownPackages)

	const want = "torch 2.5.1+cpu is a CPU-only build"
	res := w.mustBuild()
	require.Len(t, res.Warnings, 1)
	assert.Contains(t, res.Warnings[0], want)
	plan, doctor = said()
	assert.Contains(t, plan, want)
	assert.Contains(t, doctor, "true "+want)
	assert.NotContains(t, plan+doctor, unknownPackages)

	// The base's CUDA comes from its config.
	base := pythonBase(t)
	cfg, err := base.ConfigFile()
	require.NoError(t, err)
	cfg = cfg.DeepCopy()
	cfg.Config.Env = append(cfg.Config.Env, "CUDA_VERSION=11.0.3")
	base, err = mutate.ConfigFile(base, cfg)
	require.NoError(t, err)
	w.request.BaseImage, w.request.Requirements, w.request.GPUType = w.s.put(t, "base/cuda:1", base), []string{"pip"}, "h100"
	res = w.mustBuild()
	require.Len(t, res.Warnings, 1)
	assert.Contains(t, res.Warnings[0], "the base image is for CUDA 11.0, and h100 needs CUDA 11.8 or newer")
}

// TestStartupLine has a real Python read the .pth file, as its site module does at
// every start: the requirements come before what the base has, and the .pth files
// among them work.
func TestStartupLine(t *testing.T) {
	assert.Equal(t, 1, strings.Count(startup, "\n"), "site.py runs single lines that begin with import")
	assert.True(t, strings.HasPrefix(startup, "import "))
	dir := t.TempDir()
	for name, text := range map[string]string{
		"site-packages/" + startupName: strings.ReplaceAll(startup, "/"+libDir, dir+"/lib"),
		"site-packages/both.py":        "who = 'base'\n", "site-packages/only.py": "who = 'base'\n",
		"lib/both.py": "who = 'layer'\n", "lib/more.pth": dir + "/more\n", "more/extra.py": "who = 'pth'\n",
		"lib/json.py": "raise SystemExit('the standard library comes first')\n",
	} {
		p := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o755))
		require.NoError(t, os.WriteFile(p, []byte(text), 0o644))
	}
	out, err := exec.Command("python3", "-I", "-c", "import site; site.addsitedir('"+dir+"/site-packages'); import both, only, extra, json; print(both.who, only.who, extra.who)").CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Equal(t, "layer base pth\n", string(out))
}

func TestNoPythonInTheBase(t *testing.T) {
	w := newWorld(t)
	w.request.BaseImage = w.s.put(t, "base/none:1", bare(t))
	w.request.Requirements = []string{"six"}
	_, err := w.build()
	assert.ErrorContains(t, err, "has no Python")
}

func TestPythonIsAVersion(t *testing.T) {
	w := newWorld(t)
	w.request.Requirements = []string{"pip"}
	w.request.Environ = plain()
	w.request.Python = "/usr/bin/python3"
	_, err := w.build()
	assert.ErrorContains(t, err, "does not say which Python")
	w.request.Python = "3.11.7"
	res := w.mustBuild()
	require.Len(t, res.Satisfied, 1)
}
