package python

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stephost/stephost/internal/gobuild"
	"github.com/stephost/stephost/test/fault"
	"github.com/stephost/stephost/test/python/venvs"
)

// hang ends what does not come back. The pipelines of ZenML take minutes beside a
// busy `make test`.
const hang = 15 * time.Minute

// programs is where this process's programs and wheels lie.
var programs string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "stephost-python")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	programs = dir
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	t.Cleanup(cancel)
	return ctx
}

// built builds the programs and the wheels once, as `make wheel` does: that of
// stephost, and one of a flavor that stands for all others.
var built = sync.OnceValues(func() ([]string, error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		return nil, err
	}
	bin, dist := filepath.Join(programs, "bin"), filepath.Join(programs, "dist")
	for _, p := range []gobuild.Program{
		{Dir: ".", Pkg: "./cmd/stephost", Out: "stephost", Tags: []string{"front"}},
		{Dir: ".", Pkg: "./cmd/stephost", Out: "stephost-host"},
		{Dir: "plugins/local", Out: "plugins/stephost-flavor-local"},
		{Dir: "examples/hello-flavor", Out: "plugins/stephost-flavor-hello"},
		{Dir: ".", Pkg: "./cmd/stephost-init", Out: "shim/stephost-init-linux-" + runtime.GOARCH},
	} {
		p.Dir, p.Out = filepath.Join(root, p.Dir), filepath.Join(bin, p.Out)
		if err := gobuild.Build(context.Background(), p); err != nil {
			return nil, err
		}
	}
	if err := makeWheels(context.Background(), root, bin, dist); err != nil {
		return nil, err
	}
	return filepath.Glob(filepath.Join(dist, "*.whl"))
})

func makeWheels(ctx context.Context, root, bin, dist string) error {
	all, err := venvs.Find(ctx)
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, all[len(all)-1].Path, filepath.Join(root, "python", "wheel", "build.py"),
		"--bin", bin, "--dist", dist, "--flavor", "hello", "--integrations").CombinedOutput()
	if err != nil {
		return fmt.Errorf("build.py: %w\n%s", err, out)
	}
	return nil
}

// wheels are the built ones: those of the names, or all.
func wheels(t *testing.T, names ...string) []string {
	t.Helper()
	all, err := built()
	require.NoError(t, err)
	require.Len(t, all, 4)
	if len(names) == 0 {
		return all
	}
	var some []string
	for _, w := range all {
		name, _, _ := strings.Cut(filepath.Base(w), "-")
		if slices.Contains(names, name) {
			some = append(some, w)
		}
	}
	require.Len(t, some, len(names))
	return some
}

func pythons(t *testing.T) []venvs.Python {
	t.Helper()
	all, err := venvs.Find(testContext(t))
	require.NoError(t, err)
	return all
}

// ofMinor is a Python that has the wanted minor, else the newest below the next
// incompatible one: heavy packages support a few only.
func ofMinor(t *testing.T, from, to int) venvs.Python {
	t.Helper()
	all := pythons(t)
	for _, p := range all {
		if p.Minor >= from && p.Minor <= to {
			return p
		}
	}
	require.FailNow(t, "no fitting Python", "one of 3.%d to 3.%d is needed; there are %v", from, to, all)
	return venvs.Python{}
}

// place is a directory with a short name (sockets lie below it) for one test.
func place(t *testing.T) string {
	dir, err := os.MkdirTemp("", "sp")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// installed is an environment with wheels that sees pinned packages.
func installed(t *testing.T, p venvs.Python, wheels []string, pins ...string) venvs.Env {
	t.Helper()
	ctx := testContext(t)
	var pinned []venvs.Env
	for _, name := range pins {
		e, err := venvs.Pinned(ctx, p, filepath.Join("pins", name+".txt"))
		require.NoError(t, err)
		pinned = append(pinned, e)
	}
	e, err := venvs.Fresh(ctx, p, filepath.Join(place(t), "venv"), wheels, pinned...)
	require.NoError(t, err)
	return e
}

// environ is the environment of a person who has just installed stephost: a home of
// their own, and no other stephost on PATH.
func environ(t *testing.T, e venvs.Env, more ...string) []string {
	t.Helper()
	dir := place(t)
	home := filepath.Join(dir, "user")
	require.NoError(t, os.MkdirAll(home, 0o700))
	path := e.Bin + ":/usr/local/bin:/usr/bin:/bin"
	if uv, err := exec.LookPath("uv"); err == nil { // stephost installs requirements with it, in a fraction of pip's time
		path += ":" + filepath.Dir(uv)
	}
	env := []string{"PATH=" + path, "HOME=" + home, "STEPHOST_HOME=" + filepath.Join(dir, "h"),
		"TMPDIR=" + dir, "LANG=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1"}
	for _, name := range []string{"CI", "SSL_CERT_FILE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return append(env, more...)
}

// withFault starts the backend that fails on purpose, and says where it is.
func withFault(t *testing.T) []string {
	t.Helper()
	ctx := testContext(t)
	p, err := fault.Build(ctx)
	require.NoError(t, err)
	plugin, err := p.Install(place(t), "key")
	require.NoError(t, err)
	b, err := p.Start(ctx, place(t))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, b.Stop()) })
	return []string{"TEST_FAULT_PLUGIN=" + plugin, "TEST_FAULT_SOCKET=" + b.Socket}
}

// pytest runs the tests below dir.
func pytest(t *testing.T, e venvs.Env, env []string, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(testContext(t), e.Python, append([]string{"-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=5", "-x"}, args...)...)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)
}

// output runs a command and returns what it printed.
func output(t *testing.T, env []string, dir string, argv ...string) string {
	t.Helper()
	cmd := exec.CommandContext(testContext(t), argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, env
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s\n%s%s", strings.Join(argv, " "), out, stderr.String())
	return string(out)
}
