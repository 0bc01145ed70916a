package host_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/launch"
	flavors "github.com/stephost/stephost/host/registry"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/schema"
	"github.com/stephost/stephost/internal/gobuild"
)

// TestImages builds the flavor once for all that it tests.
func TestImages(t *testing.T) {
	plugin := filepath.Join(t.TempDir(), "stephost-flavor-shelf")
	require.NoError(t, gobuild.Build(t.Context(), gobuild.Program{Pkg: "./testdata/imageflavor", Out: plugin}))
	manifest, err := os.ReadFile("testdata/imageflavor/flavor.hcl")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(plugin+".flavor.hcl", manifest, 0o600))
	for name, test := range map[string]func(*testing.T, *imageWorld){
		"a launch builds the image":                 launchBuildsTheImage,
		"a retry runs the same image":               retriesRunTheSameImage,
		"a given image is checked":                  givenImageIsChecked,
		"the plugin's credentials":                  pluginsCredentials,
		"doctor asks the registry":                  doctorAsksTheRegistry,
		"what is refused is refused before a build": refusedBeforeABuild,
	} {
		t.Run(name, func(t *testing.T) { test(t, newImageWorld(t, plugin)) })
	}
}

// imageWorld is a home with a flavor that takes images, and a registry with a
// base.
type imageWorld struct {
	*world
	shelf, app, registry string

	mu       sync.Mutex
	password string // wanted for everything but reading
	notices  []launch.Notice
}

func newImageWorld(t *testing.T, plugin string) *imageWorld {
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	t.Cleanup(cancel)
	docker := t.TempDir()
	t.Setenv("DOCKER_CONFIG", docker)
	w := &imageWorld{world: &world{t: t, ctx: ctx, home: home.At(t.TempDir())}, shelf: t.TempDir(), app: t.TempDir()}
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		want := w.password
		w.mu.Unlock()
		if _, p, _ := r.BasicAuth(); want != "" && r.Method != "GET" && r.Method != "HEAD" && p != want {
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(rw, r)
	}))
	t.Cleanup(s.Close)
	w.registry = strings.TrimPrefix(s.URL, "http://")
	ref, err := name.ParseReference(w.registry+"/base:1", name.Insecure)
	require.NoError(t, err)
	base, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "amd64", RootFS: v1.RootFS{Type: "layers"}})
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, base))
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	t.Cleanup(remote.DefaultTransport.(*http.Transport).CloseIdleConnections)

	// The shim lies beside what runs stephost: here this test binary.
	self, err := os.Executable()
	require.NoError(t, err)
	shims := filepath.Join(filepath.Dir(self), "shim")
	require.NoError(t, os.MkdirAll(shims, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(shims, "stephost-init-linux-amd64"), []byte("shim"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(w.app, "train.py"), []byte("print()\n"), 0o644))

	h := w.host()
	_, err = h.Registry().Register(ctx, plugin, flavors.RegisterOptions{})
	require.NoError(t, err)
	_, err = h.Registry().PutOperatorText(ctx, fmt.Appendf(nil, "operator \"op\" {\n  flavor = \"shelf\"\n  config {\n    dir = %q\n  }\n}\n", w.shelf), flavors.WriteOptions{})
	require.NoError(t, err)
	return w
}

func (w *imageWorld) host() *host.Host {
	h := host.New(host.Options{Home: w.home, Notify: func(n launch.Notice) {
		w.mu.Lock()
		w.notices = append(w.notices, n)
		w.mu.Unlock()
	}})
	w.t.Cleanup(func() { assert.NoError(w.t, h.Close(context.Background())) })
	return h
}

func (w *imageWorld) step(environment, more string) string {
	return step(`["python", "train.py"]`, fmt.Sprintf("  environment {\n%s\n  }\n%s", environment, more))
}

func (w *imageWorld) built() string {
	return fmt.Sprintf("    base_image = \"%[1]s/base:1\"\n    registry = \"%[1]s/ml\"\n    source {\n      path = %[2]q\n    }", w.registry, w.app)
}

type shelved struct {
	Image   string
	Shim    bool
	Argv    []string
	Attempt int
}

// jobs are what reached the flavor, by attempt.
func (w *imageWorld) jobs() []shelved {
	files, err := filepath.Glob(filepath.Join(w.shelf, "*.json"))
	require.NoError(w.t, err)
	var list []shelved
	for _, f := range files {
		data, err := os.ReadFile(f)
		require.NoError(w.t, err)
		var j shelved
		require.NoError(w.t, json.Unmarshal(data, &j))
		list = append(list, j)
	}
	slices.SortFunc(list, func(a, b shelved) int { return a.Attempt - b.Attempt })
	return list
}

func (w *imageWorld) said(kind launch.NoticeKind) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b strings.Builder
	for _, n := range w.notices {
		if n.Kind == kind {
			b.WriteString(n.Message + "\n")
		}
	}
	return b.String()
}

func launchBuildsTheImage(t *testing.T, w *imageWorld) {
	h := w.host()
	_, r, err := w.launch(h, w.step(w.built(), ""), "")
	require.NoError(t, err)
	require.Equal(t, runs.Closed, r.State)
	jobs := w.jobs()
	require.Len(t, jobs, 1)
	assert.True(t, strings.HasPrefix(jobs[0].Image, w.registry+"/ml@sha256:"), jobs[0].Image)
	assert.True(t, jobs[0].Shim)
	assert.Equal(t, []string{"/.stephost/init", "python", "train.py"}, jobs[0].Argv)
	assert.Contains(t, w.said(launch.Progress), "packing the source")
	assert.Contains(t, w.said(launch.Progress), "uploading to "+w.registry+"/ml")

	// Build finds what the launch made, and plan says so.
	img, err := h.Build(w.ctx, w.selection(h, w.step(w.built(), "")), nil)
	require.NoError(t, err)
	assert.Equal(t, jobs[0].Image, img.Reference)
	assert.Zero(t, img.UploadedBytes)
	p, err := h.Plan(w.ctx, w.selection(h, w.step(w.built(), "")), true)
	require.NoError(t, err)
	require.NotNil(t, p.Image)
	assert.Zero(t, p.Image.UploadBytes)
	assert.Equal(t, "linux/amd64", p.Image.Platform)
}

// retriesRunTheSameImage: the source changes while a run goes on.
func retriesRunTheSameImage(t *testing.T, w *imageWorld) {
	_, r, err := w.launch(w.host(), w.step(w.built(), fmt.Sprintf("  env = { RETRY = \"1\", TOUCH = %q }\n  retry {\n    system = 1\n  }", filepath.Join(w.app, "train.py"))), "")
	require.NoError(t, err)
	require.Equal(t, runs.Closed, r.State)
	jobs := w.jobs()
	require.Len(t, jobs, 2)
	assert.Equal(t, jobs[0].Image, jobs[1].Image)
	assert.True(t, jobs[1].Shim)
}

func givenImageIsChecked(t *testing.T, w *imageWorld) {
	_, _, err := w.launch(w.host(), w.step(fmt.Sprintf("    image = \"%s/base:1\"", w.registry), ""), "")
	require.NoError(t, err)
	jobs := w.jobs()
	require.Len(t, jobs, 1)
	assert.Contains(t, jobs[0].Image, "/base@sha256:")
	assert.False(t, jobs[0].Shim)
	assert.Equal(t, []string{"python", "train.py"}, jobs[0].Argv)

	_, r, err := w.launch(w.host(), w.step(fmt.Sprintf("    image = \"%s/base:none\"", w.registry), ""), "")
	require.NoError(t, err)
	require.NotNil(t, r.Verdict)
	assert.Equal(t, "config", r.Verdict.Class)
	assert.Contains(t, r.Verdict.Message, "there is no image")
	assert.Len(t, w.jobs(), 1)
}

// pluginsCredentials: the operator's plugin logs in to the registry.
func pluginsCredentials(t *testing.T, w *imageWorld) {
	w.mu.Lock()
	w.password = "of-the-cloud"
	w.mu.Unlock()
	_, r, err := w.launch(w.host(), w.step(w.built(), ""), "")
	require.NoError(t, err)
	require.NotNil(t, r.Verdict)
	assert.Equal(t, "auth", r.Verdict.Class)
	assert.Contains(t, r.Verdict.Message, "does not let you push to ml")
	assert.Contains(t, r.Verdict.Message, "Next: log in with")

	require.NoError(t, os.WriteFile(filepath.Join(w.shelf, "auth"), []byte("ann:of-the-cloud"), 0o600))
	_, err = w.host().Build(w.ctx, w.selection(w.host(), w.step(w.built(), "")), nil)
	require.NoError(t, err)
}

// refusedBeforeABuild: minutes are not spent on what the flavor
// refuses.
func refusedBeforeABuild(t *testing.T, w *imageWorld) {
	_, r, err := w.launch(w.host(), w.step(strings.Replace(w.built(), w.registry+"/ml", "refused.example.com/ml", 1), ""), "")
	require.NoError(t, err)
	require.NotNil(t, r.Verdict)
	assert.Contains(t, r.Verdict.Message, "cannot pull from refused.example.com")
	assert.NotContains(t, w.said(launch.Progress), "packing")
}

func doctorAsksTheRegistry(t *testing.T, w *imageWorld) {
	h := w.host()
	text := w.step(w.built(), "  resources {\n    gpu = 1\n  }")
	p, _, err := h.Project(w.ctx, host.ProjectOptions{Dir: t.TempDir(), Files: []string{"-"}, Stdin: strings.NewReader(text)})
	require.NoError(t, err)
	op, err := h.SelectOperator(w.ctx, p, "op", schema.StageLaunch)
	require.NoError(t, err)
	said := func() string {
		var b strings.Builder
		for _, c := range h.CheckImages(w.ctx, p, op) {
			fmt.Fprintf(&b, "%s %s: %s %s\n", c.Level, c.About, c.Text, c.Next)
		}
		return b.String()
	}
	got := said()
	assert.Contains(t, got, "ok step train: the base is "+w.registry+"/base@sha256:")
	assert.Contains(t, got, "ok step train: images can be pushed to "+w.registry+"/ml, with no credentials")
	w.mu.Lock()
	w.password = "x"
	w.mu.Unlock()
	assert.Contains(t, said(), "does not let you push to ml")
}
