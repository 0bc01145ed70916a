package requirements

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/environment/internal/wheel"
	"github.com/stephost/stephost/host/environment/source"
	"github.com/stephost/stephost/host/problem"
)

// plain is this process's environment without what a person has told pip and
// uv, and without uv itself unless withUV.
func plain(t *testing.T, extra ...string) []string {
	t.Helper()
	var list []string
	for _, kv := range os.Environ() {
		if strings.HasPrefix(kv, "PIP_") && !strings.HasPrefix(kv, "PIP_CERT=") || strings.HasPrefix(kv, "UV_") {
			continue
		}
		list = append(list, kv)
	}
	if len(newEnviron(list).onPath("uv")) > 0 {
		// These tests are about pip; those about uv name it.
		list = append(list, "PIP_NO_INDEX=", "UV_INDEX=")
	}
	return append(append(list, "PIP_CONFIG_FILE="+os.DevNull, "PIP_RETRIES=0"), extra...)
}

// wheels makes two packages that need no network; one needs the other.
func wheels(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, w := range [][]string{{"tiny", "1.0"}, {"tiny", "2.0"}, {"small", "1.0", "tiny>=1"}} {
		_, err := wheel.Write(dir, w[0], w[1], w[2:]...)
		require.NoError(t, err)
	}
	return dir
}

type result struct {
	set   *Set
	venv  string
	said  []string
	cache string
}

func ensure(ctx context.Context, cache string, r Request) (result, error) {
	res := result{cache: cache}
	r.Store = source.NewStore(filepath.Join(cache, "source"))
	s, err := Resolve(ctx, r)
	if err != nil {
		return res, err
	}
	res.set = s
	res.venv, err = s.Ensure(ctx, BuildOptions{CacheDir: filepath.Join(cache, "venvs"), Store: r.Store,
		Progress: func(line string) { res.said = append(res.said, line) }})
	return res, err
}

// imports asks the virtual environment for the version of a module.
func imports(t *testing.T, venv, module string) string {
	t.Helper()
	out, err := exec.Command(pythonIn(venv), "-I", "-c", "import "+module+"; print("+module+".version)").CombinedOutput()
	require.NoError(t, err, string(out))
	return strings.TrimSpace(string(out))
}

func kindIs(t *testing.T, err error, want Kind) *problem.Error {
	t.Helper()
	var p *problem.Error
	require.ErrorAs(t, err, &p)
	var e *Error
	require.ErrorAs(t, p, &e)
	assert.Equal(t, want, e.Kind, "%s\n%s", p.Summary, p.Detail)
	assert.NotEmpty(t, p.Next)
	return p
}

func TestVenvIsBuiltOnceAndComesBack(t *testing.T) {
	cache, links := t.TempDir(), wheels(t)
	r := Request{List: []string{"--no-index", "--find-links " + links, "small", "tiny<2"}, Environ: plain(t)}
	first, err := ensure(t.Context(), cache, r)
	require.NoError(t, err)
	assert.Equal(t, "1.0", imports(t, first.venv, "tiny"))
	assert.Contains(t, first.said, "installing 2 packages")
	assert.Contains(t, first.said, "making a virtual environment with Python "+first.set.Interpreter.Version)
	left, err := filepath.Glob(first.venv + scratch + "*")
	require.NoError(t, err)
	assert.Empty(t, left)

	again, err := ensure(t.Context(), cache, r)
	require.NoError(t, err)
	assert.Equal(t, first.venv, again.venv)
	assert.Empty(t, again.said, "nothing is built")

	// A torn marker counts as none, and what a killed builder leaves is removed.
	mark := filepath.Join(first.venv, marker)
	require.NoError(t, os.WriteFile(mark, []byte(`{"digest":`), 0o600))
	assert.False(t, first.set.Complete(filepath.Dir(first.venv)))
	require.NoError(t, os.Remove(mark))
	stray := filepath.Join(first.venv, "stray")
	require.NoError(t, os.WriteFile(stray, nil, 0o600))
	rebuilt, err := ensure(t.Context(), cache, r)
	require.NoError(t, err)
	assert.Equal(t, first.venv, rebuilt.venv)
	assert.NoFileExists(t, stray)
	assert.Equal(t, "1.0", imports(t, rebuilt.venv, "tiny"))

	r.List[3] = "tiny"
	other, err := Resolve(t.Context(), r)
	require.NoError(t, err)
	assert.NotEqual(t, first.set.Digest, other.Digest)
}

func TestPythonAlone(t *testing.T) {
	py, err := Resolve(t.Context(), Request{Environ: plain(t)})
	require.NoError(t, err)
	version := fmt.Sprintf("%d.%d", py.Interpreter.Major, py.Interpreter.Minor)
	for _, wanted := range []string{version, py.Interpreter.Version, py.Interpreter.Path} {
		res, err := ensure(t.Context(), t.TempDir(), Request{Python: wanted, Environ: plain(t)})
		require.NoError(t, err)
		out, err := exec.Command(pythonIn(res.venv), "-c", "import platform; print(platform.python_version())").Output()
		require.NoError(t, err)
		assert.Equal(t, py.Interpreter.Version, strings.TrimSpace(string(out)))
	}
}

func TestProjectsAreInstalledFromACopy(t *testing.T) {
	cache, dir := t.TempDir(), t.TempDir()
	// A build backend of its own, so that nothing is downloaded.
	put(t, dir, "lib/pyproject.toml", "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n[project]\nname = 'lib'\nversion = '1'\n")
	put(t, dir, "lib/backend.py", `import zipfile, os
def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    open("left-by-the-build", "w").close()
    name = "lib-1-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w") as z:
        z.write("lib.py")
        z.writestr("lib-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: lib\nVersion: 1\n")
        z.writestr("lib-1.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        z.writestr("lib-1.dist-info/RECORD", "lib.py,,\nlib-1.dist-info/METADATA,,\nlib-1.dist-info/WHEEL,,\nlib-1.dist-info/RECORD,,\n")
    return name
`)
	put(t, dir, "lib/lib.py", "version = 'one'\n")
	file := put(t, dir, "requirements.txt", "--no-index\n-e ./lib\n")
	r := Request{File: file, Environ: plain(t)}
	first, err := ensure(t.Context(), cache, r)
	require.NoError(t, err)
	assert.Equal(t, "one", imports(t, first.venv, "lib"))
	assert.NoFileExists(t, filepath.Join(dir, "lib", "left-by-the-build"))

	put(t, dir, "lib/lib.py", "version = 'two'\n")
	s, err := Resolve(t.Context(), r)
	require.NoError(t, err)
	assert.NotEqual(t, first.set.Digest, s.Digest)
	assert.Equal(t, "one", imports(t, first.venv, "lib"), "a run's code does not change under it")

	// Changed between Resolve and Ensure.
	put(t, dir, "lib/lib.py", "version = 'three'\n")
	_, err = s.Ensure(t.Context(), BuildOptions{CacheDir: filepath.Join(cache, "venvs"), Store: source.NewStore(t.TempDir())})
	var changed *source.ChangedError
	require.ErrorAs(t, err, &changed)
	assert.NoFileExists(t, s.Venv(filepath.Join(cache, "venvs")))
}

func TestPyproject(t *testing.T) {
	dir, links := t.TempDir(), wheels(t)
	file := put(t, dir, "pyproject.toml", "[project]\nname = 'x'\nversion = '1'\ndependencies = ['tiny <2', 'small; python_version < \"3\"']\n")
	s, err := Resolve(t.Context(), Request{File: file, List: []string{"-f " + links}, Environ: plain(t)})
	require.NoError(t, err)
	require.Len(t, s.Lines, 3)
	assert.Equal(t, []string{`small; python_version < "3"`, "tiny <2"}, s.Lines[1:])
	for text, want := range map[string]string{
		"[project]\nname = 'x'\ndynamic = ['dependencies']\n":         `requirements = ["."]`,
		"[tool.poetry.dependencies]\nx = '1'\n":                       "poetry export",
		"[tool.other]\n":                                              "requirements.txt",
		"[project\n":                                                  "correct the file",
		"[project]\nname='x'\n[[tool.uv.index]]\nurl='https://h'\n":   "uv export",
		"[project]\nname='x'\n[tool.uv.sources]\nx = {path='../x'}\n": "uv export",
	} {
		put(t, dir, "pyproject.toml", text)
		_, err := Resolve(t.Context(), Request{File: file, Environ: plain(t)})
		p := kindIs(t, err, Invalid)
		assert.Contains(t, p.Next, want)
	}
}

func TestNoPython(t *testing.T) {
	empty := t.TempDir()
	_, err := Resolve(t.Context(), Request{List: []string{"six"}, Environ: []string{"PATH=" + empty}})
	p := kindIs(t, err, NoPython)
	assert.Equal(t, "no Python 3 found on PATH", p.Summary)
	assert.Contains(t, p.Next, "install Python 3")

	_, err = Resolve(t.Context(), Request{Python: "3.99", Environ: plain(t)})
	p = kindIs(t, err, NoPython)
	assert.Contains(t, p.Summary, "3.99")
	assert.Contains(t, p.Detail, "is Python 3.", "says what there is")

	_, err = Resolve(t.Context(), Request{Python: "./none", Dir: empty, Environ: plain(t)})
	kindIs(t, err, NoPython)
	for _, bad := range []string{"three", ">=3.10", "2.7", "3.11-dev"} {
		_, err = Resolve(t.Context(), Request{Python: bad, Environ: plain(t)})
		kindIs(t, err, Invalid)
	}
	_, err = Resolve(t.Context(), Request{List: []string{"a\nb"}, Environ: plain(t)})
	kindIs(t, err, Invalid)
}

func TestOddExecutablesCalledPython(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "python3", "#!/bin/sh\necho 'pyenv: python3: command not found' >&2\nexit 127\n")
	put(t, dir, "python", "#!/bin/sh\necho '{\"executable\": \"/x\", \"major\": 2, \"version\": \"2.7.18\"}'\n")
	require.NoError(t, os.Chmod(filepath.Join(dir, "python3"), 0o755))
	require.NoError(t, os.Chmod(filepath.Join(dir, "python"), 0o755))
	_, err := Resolve(t.Context(), Request{List: []string{"six"}, Environ: []string{"PATH=" + dir}})
	p := kindIs(t, err, NoPython)
	assert.Contains(t, p.Detail, "command not found")
	assert.Contains(t, p.Detail, "is Python 2.7.18, older than 3.8")

	s, err := Resolve(t.Context(), Request{List: []string{"six"}, Environ: plain(t, "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))})
	require.NoError(t, err, "the next one on PATH is taken")
	assert.NotContains(t, s.Interpreter.Path, dir)
}

func TestFailuresOfTheIndex(t *testing.T) {
	denied := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", "Basic")
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer denied.Close()
	secret := "hunter2hunter2"
	for _, tc := range []struct {
		name, pkg string
		lines     []string
		kind      Kind
	}{
		{"unreachable", "tiny", []string{"--index-url http://user:" + secret + "@127.0.0.1:1/simple", "tiny"}, Unreachable},
		{"denied", "tiny", []string{"--index-url " + strings.Replace(denied.URL, "//", "//user:"+secret+"@", 1) + "/simple", "tiny"}, Denied},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cache := t.TempDir()
			res, err := ensure(t.Context(), cache, Request{List: tc.lines, Environ: plain(t)})
			p := kindIs(t, err, tc.kind)
			assert.Contains(t, p.Summary, tc.pkg)
			assert.Regexp(t, "The last lines of (pip|uv):", p.Detail)
			for _, text := range append(res.said, p.Error(), p.Detail, p.Next, strings.Join(res.set.Lines, " ")) {
				assert.NotContains(t, text, secret)
			}
			left, err := filepath.Glob(filepath.Join(cache, "venvs", "*"))
			require.NoError(t, err)
			require.Len(t, left, 1, "only the lock file stays: %v", left)
		})
	}
}

// TestCancel ends a build whose index never answers.
func TestCancel(t *testing.T) {
	asked := make(chan struct{}, 10)
	release := make(chan struct{})
	index := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer index.Close()
	defer close(release)
	cause := errors.New("the person pressed Ctrl-C")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	cache := t.TempDir()
	done := make(chan error, 1)
	go func() {
		_, err := ensure(ctx, cache, Request{List: []string{"-i " + index.URL, "tiny"}, Environ: plain(t)})
		done <- err
	}()
	<-asked
	cancel(cause)
	err := <-done
	var p *problem.Error
	require.ErrorAs(t, err, &p)
	assert.Equal(t, problem.Cancelled, p.Class)
	assert.ErrorIs(t, err, cause)
	left, err := filepath.Glob(filepath.Join(cache, "venvs", "*"))
	require.NoError(t, err)
	assert.Len(t, left, 1, "only the lock file stays")
}

// TestKilledBuilder: the process that builds is killed with SIGKILL while its
// installer waits for the index; the next one builds whole.
func TestKilledBuilder(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	files := http.FileServer(http.Dir(wheels(t)))
	asked := make(chan struct{})
	var first sync.Once
	index := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stall := false
		first.Do(func() { stall = true })
		if stall {
			close(asked)
			<-r.Context().Done()
			return
		}
		if strings.HasPrefix(r.URL.Path, "/simple/tiny/") {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, `<a href="/tiny-1.0-py3-none-any.whl">tiny-1.0-py3-none-any.whl</a>`)
			return
		}
		files.ServeHTTP(w, r)
	}))
	defer index.Close()
	cache := t.TempDir()
	cmd := exec.Command(self, "build-for-test", cache, "-i "+index.URL+"/simple")
	cmd.Env = plain(t)
	require.NoError(t, cmd.Start())
	<-asked
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	again := exec.Command(self, "build-for-test", cache, "-i "+index.URL+"/simple")
	again.Env = cmd.Env
	out, err := again.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Equal(t, "built\n", string(out))
}

// A killed builder's scratch directory, to which something of it still writes, is
// neither in the way nor taken over.
func TestScratchIsNeverShared(t *testing.T) {
	name := filepath.Join(t.TempDir(), "key")
	one, two := workshop{}, workshop{}
	require.NoError(t, one.open(name))
	require.NoError(t, os.WriteFile(filepath.Join(one.tmp, "left"), nil, 0o600))
	require.NoError(t, two.open(name))
	assert.NotEqual(t, one.tmp, two.tmp)
	assert.NoDirExists(t, one.tmp)
	left, err := os.ReadDir(two.tmp)
	require.NoError(t, err)
	assert.Empty(t, left)
}

// TestUV installs with uv, which it gets from the package index when it is not
// on PATH.
func TestUV(t *testing.T) {
	env := newEnviron(plain(t))
	if len(env.onPath("uv")) == 0 {
		dir := t.TempDir()
		s, err := Resolve(t.Context(), Request{})
		require.NoError(t, err)
		out, err := exec.Command(s.Interpreter.Path, "-m", "pip", "install", "--quiet", "--no-user", "--target", dir, "uv").CombinedOutput()
		if err != nil && os.Getenv("CI") != "true" {
			t.Skipf("NOT TESTED: uv is neither on PATH nor to be had (%s); set CI=true to insist", out)
		}
		require.NoError(t, err, string(out))
		env["PATH"] = filepath.Join(dir, "bin") + string(os.PathListSeparator) + env["PATH"]
	}
	delete(env, "UV_INDEX")
	delete(env, "PIP_NO_INDEX")
	env["UV_CACHE_DIR"] = t.TempDir()
	links := wheels(t)
	r := Request{List: []string{"--no-index", "--find-links " + links, "small", "tiny<2"}, Environ: env.list()}
	res, err := ensure(t.Context(), t.TempDir(), r)
	require.NoError(t, err)
	assert.Equal(t, "uv", res.set.Tool)
	assert.Equal(t, "1.0", imports(t, res.venv, "tiny"))
	assert.Contains(t, res.said, "installing 2 packages")

	r.List[2] = "no-such"
	_, err = ensure(t.Context(), t.TempDir(), r)
	p := kindIs(t, err, NotFound)
	assert.Contains(t, p.Summary, "no-such")
}

// TestRealIndex installs a package from the index that pip is configured for.
func TestRealIndex(t *testing.T) {
	if os.Getenv("CI") != "true" {
		if err := indexAnswers(); err != nil {
			t.Skipf("NOT TESTED: no package index can be reached (%v); set CI=true to insist", err)
		}
	}
	res, err := ensure(t.Context(), t.TempDir(), Request{List: []string{"six==1.16.0"}})
	require.NoError(t, err)
	out, err := exec.Command(pythonIn(res.venv), "-c", "import six; print(six.__version__)").Output()
	require.NoError(t, err)
	assert.Equal(t, "1.16.0", strings.TrimSpace(string(out)))
}

// indexAnswers asks pip itself, for its configuration says where the index is.
func indexAnswers() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := Resolve(ctx, Request{})
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, s.Interpreter.Path, "-m", "pip", "download", "--no-deps", "--quiet", "--retries", "1",
		"--dest", os.TempDir(), "six==1.16.0").CombinedOutput()
	if err != nil {
		return errors.New(string(out))
	}
	return nil
}

func TestPipAlone(t *testing.T) {
	dir := t.TempDir()
	conf := put(t, dir, "pip.conf", "[global]\ntimeout = 5\nextra-index-url: https://h/simple\n")
	dull := put(t, dir, "dull.conf", "[global]\ntimeout = 5\n")
	for _, tc := range []struct {
		env  []string
		want string
	}{
		{[]string{"PIP_CONFIG_FILE=" + os.DevNull}, ""},
		{[]string{"PIP_CONFIG_FILE=" + dull}, ""},
		{[]string{"PIP_CONFIG_FILE=" + conf}, conf + " names an index"},
		{[]string{"PIP_CONFIG_FILE=" + conf, "UV_INDEX=https://h"}, ""},
		{[]string{"PIP_CONFIG_FILE=" + dull, "PIP_INDEX_URL=https://h"}, "PIP_INDEX_URL is set"},
		{[]string{"PIP_CONFIG_FILE=" + dull, "PIP_INDEX_URL=https://h", "UV_DEFAULT_INDEX=https://h"}, ""},
	} {
		assert.Equal(t, tc.want, newEnviron(tc.env).pipAlone(), "%v", tc.env)
	}
	e := newEnviron([]string{"UV_INDEX=a=https://u:p@h/simple https://i/simple", "UV_DEFAULT_INDEX=https://d/simple", "PIP_EXTRA_INDEX_URL="})
	e.forPip()
	assert.Equal(t, "https://u:p@h/simple https://i/simple", e["PIP_EXTRA_INDEX_URL"])
	assert.Equal(t, "https://d/simple", e["PIP_INDEX_URL"])
}

func TestRelativePathsInVariables(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	put(t, dir, "limits.txt", "tiny<2\n")
	e := newEnviron([]string{"PIP_CONSTRAINT=limits.txt https://h/c.txt", "PIP_CERT=none.pem"})
	one := e.indexSettings()
	got := e.forTools("")
	real, err := filepath.EvalSymlinks(got["PIP_CONSTRAINT"][:strings.Index(got["PIP_CONSTRAINT"], " ")])
	require.NoError(t, err)
	assert.Equal(t, "limits.txt", filepath.Base(real))
	assert.True(t, strings.HasSuffix(got["PIP_CONSTRAINT"], " https://h/c.txt"))
	assert.Equal(t, "none.pem", got["PIP_CERT"], "what is not there is left to the tool's own error")
	put(t, dir, "limits.txt", "tiny<3\n")
	assert.NotEqual(t, one, e.indexSettings(), "its content decides")
}

func TestToolsCannotAskOrStray(t *testing.T) {
	e := newEnviron([]string{"PIP_USER=1", "PIP_TARGET=/x", "PYTHONPATH=/y", "PYTHONHOME=/z", "VIRTUAL_ENV=/v", "PIP_INDEX_URL=https://h", "NETRC=/n"}).forTools("/tmp/t")
	for _, gone := range []string{"PIP_USER", "PIP_TARGET", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"} {
		assert.NotContains(t, e, gone)
	}
	assert.Equal(t, "https://h", e["PIP_INDEX_URL"])
	assert.Equal(t, "/n", e["NETRC"])
	assert.Equal(t, "0", e["GIT_TERMINAL_PROMPT"])
	assert.Equal(t, "/tmp/t", e["TMPDIR"])
}

// buildForTest is another process that needs the same environment.
func buildForTest(cache, index string) int {
	built := false
	s, err := Resolve(context.Background(), Request{List: []string{index, "tiny<2"}})
	if err == nil {
		_, err = s.Ensure(context.Background(), BuildOptions{CacheDir: cache, Progress: func(l string) {
			built = built || strings.HasPrefix(l, "making ")
		}})
	}
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	if built {
		fmt.Println("built")
	}
	return 0
}

func TestTenProcessesBuildOnce(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	cache, links := t.TempDir(), wheels(t)
	var wg sync.WaitGroup
	outputs := make([]string, 10)
	for i := range outputs {
		wg.Go(func() {
			cmd := exec.Command(self, "build-for-test", cache, "-f "+links)
			cmd.Env = plain(t, "PIP_NO_INDEX=1")
			out, err := cmd.CombinedOutput()
			outputs[i] = string(out)
			if err != nil {
				outputs[i] += "failed: " + err.Error()
			}
		})
	}
	wg.Wait()
	built := 0
	for _, out := range outputs {
		if out == "built\n" {
			built++
		} else {
			assert.Empty(t, out)
		}
	}
	assert.Equal(t, 1, built)
}
