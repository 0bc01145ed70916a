//go:build linux

package image

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stephost/stephost/host/environment"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "build-for-test" {
		os.Exit(buildForTest())
	}
	code := m.Run()
	for _, clean := range slices.Backward(shared) {
		clean()
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// need skips, loudly, what this machine cannot do; in CI it can.
func need(t testing.TB, tools ...string) {
	t.Helper()
	err := Missing(tools...)
	if err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		require.NoError(t, err)
	}
	t.Skipf("NOT TESTED: %v", err)
}

// shared ends what the tests of this process share.
var shared []func()

func sharedDir(name string) (string, error) {
	dir, err := os.MkdirTemp("", "stephost-test-"+name+"-")
	if err == nil {
		shared = append(shared, func() { os.RemoveAll(dir) })
	}
	return dir, err
}

// shimOnce builds the shim.
var shimOnce = sync.OnceValues(func() (string, error) {
	dir, err := sharedDir("shim")
	if err != nil {
		return "", err
	}
	return dir, BuildShim(dir)
})

// baseOnce makes the base image.
var baseOnce = sync.OnceValues(func() (*Base, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := os.MkdirAll(CacheDir(), 0o755); err != nil {
		return nil, err
	}
	return MakeBase(ctx, CacheDir())
})

// place is a registry with the base in it.
type place struct {
	*Registry
	dir, base string // base is its name there
}

func startPlace(dir string) (*place, error) {
	base, err := baseOnce()
	if err != nil {
		return nil, err
	}
	r, err := StartRegistry(dir)
	if err != nil {
		return nil, err
	}
	ref, err := r.Push(context.Background(), "base/python:debian", base)
	return &place{r, dir, ref}, err
}

// placeOnce starts the registry of all tests that do not look into its disk: each
// has a repository of its own there.
var placeOnce = sync.OnceValues(func() (*place, error) {
	dir, err := sharedDir("registry")
	if err != nil {
		return nil, err
	}
	p, err := startPlace(dir)
	if p != nil {
		shared = append(shared, p.Stop)
	}
	return p, err
})

// world is a registry with the base in it, and a step's project.
type world struct {
	t       testing.TB
	dir     string
	r       *place
	request environment.ImageRequest
	said    []string
}

// requirementsText is what the step asks for: two packages with native code, one
// with a script, one of pure Python, one that the base has.
const requirementsText = "numpy==2.2.*\nscikit-learn==1.6.*\ntabulate==0.9.0\nidna\nsix\n"

const trainText = `import subprocess, sys
import numpy, sklearn, idna, six
from helper.words import word
from sklearn.linear_model import LinearRegression
model = LinearRegression().fit(numpy.arange(10).reshape(-1, 1), numpy.arange(10) * 2)
print("numpy", numpy.__version__)
print("scikit-learn", sklearn.__version__)
print("idna", idna.__version__)
print("six", six.__version__, six.__file__)
print("slope", round(float(model.coef_[0]), 3))
print("word", word, sys.argv[1:])
out = subprocess.run(["tabulate", "-f", "plain"], input="a b\n1 2\n", capture_output=True, text=True, check=True).stdout
print("tabulate", out.split())
sys.exit(7)
`

// newWorld is a world in the registry that all tests share.
func newWorld(t testing.TB) *world {
	t.Helper()
	need(t)
	p, err := placeOnce()
	require.NoError(t, err)
	return worldIn(t, p)
}

// newOwnWorld is a world with a registry of its own.
func newOwnWorld(t testing.TB) *world {
	t.Helper()
	need(t)
	p, err := startPlace(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(p.Stop)
	return worldIn(t, p)
}

func worldIn(t testing.TB, p *place) *world {
	shims, err := shimOnce()
	require.NoError(t, err)
	w := &world{t: t, dir: t.TempDir(), r: p}
	app := filepath.Join(w.dir, "app")
	w.write("train.py", trainText)
	w.write("helper/words.py", "word = 'one'\n")
	w.write("requirements.txt", requirementsText)
	w.request = environment.ImageRequest{BaseImage: p.base, RegistryPush: p.Host + "/" + strings.ToLower(t.Name()), Platform: "linux/" + runtime.GOARCH,
		CacheDir: filepath.Join(w.dir, "cache"), Dir: app, Sources: []environment.Source{{Path: app}}, RequirementsFile: "requirements.txt",
		ShimDir: shims, Environ: os.Environ(), Progress: func(line string) { w.said = append(w.said, line) }}
	return w
}

// in is the world for a part of the test.
func (w *world) in(t testing.TB) *world {
	part := *w
	part.t, part.said = t, nil
	part.request.Progress = func(line string) { part.said = append(part.said, line) }
	return &part
}

func (w *world) write(rel, text string) {
	w.t.Helper()
	name := filepath.Join(w.dir, "app", rel)
	require.NoError(w.t, os.MkdirAll(filepath.Dir(name), 0o755))
	require.NoError(w.t, os.WriteFile(name, []byte(text), 0o644))
}

func (w *world) build() *environment.Image {
	w.t.Helper()
	img, err := environment.PrepareImage(w.t.Context(), w.request)
	require.NoError(w.t, err, "%s", strings.Join(w.said, "\n"))
	return img
}

// taken are the registry's own numbers of what one act uploaded.
func (w *world) taken(act func()) map[string]int64 {
	w.t.Helper()
	require.NoError(w.t, w.r.Forget(w.t.Context()))
	act()
	taken, err := w.r.Taken(w.t.Context())
	require.NoError(w.t, err)
	return taken
}

// unpack lays out an image of the registry.
func (w *world) unpack(reference string) *Bundle {
	w.t.Helper()
	img, err := w.r.Pull(w.t.Context(), reference)
	require.NoError(w.t, err)
	b, err := Unpack(w.dir, img)
	require.NoError(w.t, err)
	return b
}

// run runs argv in it.
func (w *world) run(b *Bundle, argv ...string) *Ran {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 3*time.Minute)
	defer cancel()
	ran, err := b.Run(ctx, argv)
	require.NoError(w.t, err)
	return ran
}

// request is what another process needs to know.
type request struct {
	BaseImage, RegistryPush, Platform, CacheDir, Dir, RequirementsFile, ShimDir string
	Requirements                                                                []string
}

// buildForTest is another process, perhaps of another user, that builds. The
// request comes on stdin.
func buildForTest() int {
	var r request
	if err := json.NewDecoder(os.Stdin).Decode(&r); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	img, err := environment.PrepareImage(context.Background(), environment.ImageRequest{
		BaseImage: r.BaseImage, RegistryPush: r.RegistryPush, Platform: r.Platform, CacheDir: r.CacheDir, Dir: r.Dir,
		Sources: []environment.Source{{Path: r.Dir}}, RequirementsFile: r.RequirementsFile, Requirements: r.Requirements, ShimDir: r.ShimDir,
		Progress: func(line string) { fmt.Fprintln(os.Stderr, line) },
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		return 1
	}
	fmt.Println(img.Pushed)
	return 0
}
