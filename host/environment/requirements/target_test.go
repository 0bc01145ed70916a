package requirements

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/environment/internal/wheel"
)

// slim is a base with a Python and little else.
func slim(installed ...string) BaseFacts {
	b := BaseFacts{Platform: "linux/amd64", Python: "3.11", Interpreter: "/usr/local/bin/python3.11", Libc: "glibc-2.36",
		Installed: map[string]string{}, SitePackages: []string{"/usr/local/lib/python3.11/site-packages"}}
	for _, p := range installed {
		name, version, _ := strings.Cut(p, "==")
		b.Installed[name] = version
	}
	return b
}

// uvPath is uv, which is got from the package index when it is not on PATH.
var uvPath = sync.OnceValues(func() (string, error) {
	if found := newEnviron(os.Environ()).onPath("uv"); len(found) > 0 {
		return found[0], nil
	}
	dir, err := os.MkdirTemp("", "stephost-test-uv-")
	if err != nil {
		return "", err
	}
	s, err := Resolve(context.Background(), Request{})
	if err != nil {
		return "", err
	}
	out, err := exec.Command(s.Interpreter.Path, "-m", "pip", "install", "--quiet", "--no-user", "--target", dir, "uv==0.13.*").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return filepath.Join(dir, "bin", "uv"), nil
})

// eachTool runs a test with uv and with pip, at once; environ leads to that one
// alone. It returns when both have ended.
func eachTool(t *testing.T, test func(t *testing.T, environ []string)) {
	t.Run("with", func(t *testing.T) {
		t.Run("uv", func(t *testing.T) {
			t.Parallel()
			uv, err := uvPath()
			if err != nil && os.Getenv("CI") != "true" {
				t.Skipf("NOT TESTED: uv is neither on PATH nor to be had (%v); set CI=true to insist", err)
			}
			require.NoError(t, err)
			test(t, toolEnv(t, filepath.Dir(uv)+string(os.PathListSeparator)+withoutUV(os.Getenv("PATH"))))
		})
		t.Run("pip", func(t *testing.T) {
			t.Parallel()
			test(t, toolEnv(t, withoutUV(os.Getenv("PATH"))))
		})
	})
}

func withoutUV(path string) string {
	var dirs []string
	for _, dir := range filepath.SplitList(path) {
		if !exists(filepath.Join(dir, "uv")) {
			dirs = append(dirs, dir)
		}
	}
	return strings.Join(dirs, string(os.PathListSeparator))
}

func toolEnv(t *testing.T, path string) []string {
	var list []string
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); name != "PATH" && name != "PIP_FIND_LINKS" && (!strings.HasPrefix(name, "UV_") || name == "UV_DEFAULT_INDEX") {
			list = append(list, kv)
		}
	}
	return slices.Clip(append(list, "PATH="+path, "PIP_RETRIES=0", "UV_HTTP_RETRIES=0"))
}

// pure writes a project whose wheel is pure and needs nothing to be built.
func pure(t *testing.T, dir, name, version, tag string) {
	t.Helper()
	put(t, dir, "pyproject.toml", "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n[project]\nname = '"+name+"'\nversion = '"+version+"'\n")
	put(t, dir, "backend.py", fmt.Sprintf(`import zipfile, os
name, version, tag = %q, %q, %q
def prepare(z):
    z.writestr(name + ".py", "version = %%r\ndef main():\n    print('hello from', version)\n" %% version)
    info = "%%s-%%s.dist-info/" %% (name, version)
    z.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: %%s\nVersion: %%s\n" %% (name, version))
    z.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: %%s\n" %% tag)
    z.writestr(info + "entry_points.txt", "[console_scripts]\nsay-%%s = %%s:main\n" %% (name, name))
    z.writestr(info + "RECORD", "".join(f + ",,\n" for f in [name + ".py", info + "METADATA", info + "WHEEL", info + "entry_points.txt", info + "RECORD"]))
def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    file = "%%s-%%s-%%s.whl" %% (name, version, tag)
    with zipfile.ZipFile(os.path.join(wheel_directory, file), "w") as z:
        prepare(z)
    return file
`, name, version, tag))
}

// sdist packs a project into a source distribution.
func sdist(t *testing.T, dir, name, version, tag string) string {
	t.Helper()
	top := filepath.Join(t.TempDir(), name+"-"+version)
	pure(t, top, name, version, tag)
	put(t, top, "PKG-INFO", "Metadata-Version: 2.1\nName: "+name+"\nVersion: "+version+"\n")
	file := filepath.Join(dir, name+"-"+version+".tar.gz")
	out, err := exec.Command("tar", "-czf", file, "-C", filepath.Dir(top), filepath.Base(top)).CombinedOutput()
	require.NoError(t, err, string(out))
	return file
}

func target(t *testing.T, r TargetRequest) *Target {
	t.Helper()
	out, err := ResolveTarget(t.Context(), r)
	if err != nil {
		require.NoError(t, err, "%s", detailOf(err))
	}
	return out
}

func names(list []Package) []string {
	var out []string
	for _, p := range list {
		out = append(out, p.Name+"=="+p.Version)
	}
	return out
}

func TestTargetLeavesOutWhatTheBaseHas(t *testing.T) {
	eachTool(t, func(t *testing.T, environ []string) {
		links := wheels(t)
		r := TargetRequest{Base: slim("tiny==1.0", "odd==1.2~deb12", "absent-from-any-index==9.9+nv1"), CacheDir: t.TempDir(), Environ: environ,
			Requirements: []string{"--no-index", "--find-links " + links, "small", "absent_from.any-index"}}
		out := target(t, r)
		assert.Equal(t, []string{"small==1.0"}, names(out.Packages))
		assert.Equal(t, "small-1.0-py3-none-any", out.Packages[0].Wheel)
		assert.Equal(t, []string{"absent-from-any-index==9.9+nv1", "tiny==1.0"}, names(out.Satisfied))
		assert.FileExists(t, filepath.Join(out.Tree, "lib", "small.py"))
		assert.NoFileExists(t, filepath.Join(out.Tree, "lib", "tiny.py"))
		left, err := filepath.Glob(filepath.Join(out.Tree, "lib", "*"))
		require.NoError(t, err)
		assert.Len(t, left, 2, "%v", left)
		left, err = filepath.Glob(filepath.Join(r.CacheDir, "packages", "requests", "*.tmp*"))
		require.NoError(t, err)
		assert.Empty(t, left)

		// The base has everything.
		r.Requirements = []string{"--no-index", "--find-links " + links, "tiny"}
		out = target(t, r)
		assert.Empty(t, out.Packages)
		assert.Empty(t, out.Tree)
		assert.NotEmpty(t, out.Key)
		assert.Equal(t, out, target(t, r), "and again from the cache")
	})
}

// TestTargetExtrasOfTheBase: the base has the package, and not what its extra
// needs.
func TestTargetExtrasOfTheBase(t *testing.T) {
	eachTool(t, func(t *testing.T, environ []string) {
		links := wheels(t)
		extra := "tiny>=1; extra == 'more'\nProvides-Extra: more"
		_, err := wheel.Write(links, "served", "1.0", extra)
		require.NoError(t, err)
		_, err = wheel.Write(links, "user", "1.0", "served[more]")
		require.NoError(t, err)
		for _, line := range []string{"served[more]", "user"} {
			r := TargetRequest{Base: slim("served==1.0"), CacheDir: t.TempDir(), Environ: environ, Requirements: []string{"--no-index", "-f " + links, line}}
			out := target(t, r)
			assert.Contains(t, names(out.Packages), "tiny==2.0", "%s: %v", line, out)
			assert.Equal(t, []string{"served==1.0"}, names(out.Satisfied), line)
			assert.NoFileExists(t, filepath.Join(out.Tree, "lib", "served.py"))

			r.Base = slim("served==1.0+own")
			out = target(t, r)
			require.Len(t, out.Warnings, 1, line)
			assert.Contains(t, out.Warnings[0], "served 1.0+own of the base image is not on the index")
		}
	})
}

func TestTargetContradictsTheBase(t *testing.T) {
	eachTool(t, func(t *testing.T, environ []string) {
		r := TargetRequest{Base: slim("tiny==1.0", "other==1.0"), CacheDir: t.TempDir(), Environ: environ,
			Requirements: []string{"--no-index", "--find-links " + wheels(t), "tiny>=2", "small"}}
		_, err := ResolveTarget(t.Context(), r)
		p := kindIs(t, err, BaseConflict)
		assert.Contains(t, p.Summary, "tiny 2.0 (the base has 1.0)")
		assert.Contains(t, p.Next, "override = true")

		r.Override = true
		out := target(t, r)
		assert.Equal(t, []string{"small==1.0", "tiny==2.0"}, names(out.Packages))
		require.Len(t, out.Warnings, 1)
		assert.Contains(t, out.Warnings[0], "tiny 2.0 hides tiny 1.0")

		r.Requirements[2] = "tiny>=3"
		_, err = ResolveTarget(t.Context(), r)
		kindIs(t, err, NotFound)
	})
}

func TestTargetBuildsWhatIsPure(t *testing.T) {
	eachTool(t, func(t *testing.T, environ []string) {
		links, dir := wheels(t), t.TempDir()
		sdist(t, links, "onlysource", "1.0", "py3-none-any")
		pure(t, filepath.Join(dir, "lib"), "ownlib", "3", "py3-none-any")
		repo := filepath.Join(t.TempDir(), "repo")
		pure(t, repo, "fromgit", "4", "py3-none-any")
		for _, argv := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=t", "-c", "user.email=t@h", "commit", "-q", "-m", "x"}} {
			cmd := exec.Command("git", argv...)
			cmd.Dir = repo
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
		}
		out := target(t, TargetRequest{Base: slim(), Dir: dir, CacheDir: t.TempDir(), Environ: environ,
			Requirements: []string{"--no-index", "--find-links " + links, "onlysource>=1", "-e ./lib", "git+file://" + repo + "#egg=fromgit", "small"}})
		assert.Equal(t, []string{"fromgit==4", "onlysource==1.0", "ownlib==3", "small==1.0", "tiny==2.0"}, names(out.Packages))
		script, err := os.ReadFile(filepath.Join(out.Tree, "bin", "say-ownlib"))
		require.NoError(t, err)
		assert.True(t, strings.HasPrefix(string(script), "#!/usr/local/bin/python3.11\n"), string(script))
		text, err := exec.Command("grep", "-rlE", dir+"|"+repo, out.Tree).CombinedOutput()
		assert.Error(t, err, "paths of this machine in: %s", text)
	})
}

func TestTargetRefusesWhatIsNative(t *testing.T) {
	eachTool(t, func(t *testing.T, environ []string) {
		links := wheels(t)
		tag := "cp311-cp311-linux_x86_64"
		sdist(t, links, "native", "2.0", tag)
		r := TargetRequest{Base: slim(), CacheDir: t.TempDir(), Environ: environ,
			Requirements: []string{"--no-index", "--find-links " + links, "native"}}
		_, err := ResolveTarget(t.Context(), r)
		p := kindIs(t, err, Native)
		assert.Contains(t, p.Summary, `"native" has no wheel for Python 3.11 on x86_64 with glibc 2.36`)
		for _, way := range []string{"base image", "dockerfile", "wheel of your own"} {
			assert.Contains(t, p.Next, way)
		}
		// A wheel of one's own, tagged for plain Linux, beside something to build.
		_, err = wheel.WriteTagged(links, "native", "2.0", tag)
		require.NoError(t, err)
		sdist(t, links, "onlysource", "1.0", "py3-none-any")
		r.Requirements = append(r.Requirements, "onlysource")
		out := target(t, r)
		assert.Equal(t, []string{"native==2.0", "onlysource==1.0"}, names(out.Packages))
	})
}

// index is a package index that counts what it is asked.
func index(t *testing.T, links string, middle func(http.Handler) http.Handler) (url string, asked *atomic.Int64) {
	t.Helper()
	asked = &atomic.Int64{}
	var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if project, ok := strings.CutPrefix(r.URL.Path, "/simple/"); ok {
			w.Header().Set("Content-Type", "text/html")
			found, _ := filepath.Glob(filepath.Join(links, fileName(strings.Trim(project, "/"))+"-*"))
			if len(found) == 0 {
				http.NotFound(w, r)
				return
			}
			for _, f := range found {
				sum, _ := fileHash(f)
				fmt.Fprintf(w, "<a href=\"/files/%s#sha256=%s\">%[1]s</a>\n", filepath.Base(f), sum)
			}
			return
		}
		http.StripPrefix("/files/", http.FileServer(http.Dir(links))).ServeHTTP(w, r)
	})
	if middle != nil {
		h = middle(h)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL, asked
}

func TestTargetFromTheCacheAsksNobody(t *testing.T) {
	eachTool(t, func(t *testing.T, environ []string) {
		links := wheels(t)
		url, asked := index(t, links, nil)
		dir := t.TempDir()
		put(t, dir, "requirements.txt", "--index-url "+url+"/simple/\nsmall\n-c limits.txt\n")
		put(t, dir, "limits.txt", "tiny<2\n")
		r := TargetRequest{Base: slim(), Dir: dir, RequirementsFile: "requirements.txt", CacheDir: t.TempDir(), Environ: append(environ, "UV_NO_CACHE=1", "PIP_NO_CACHE_DIR=1")}
		first := target(t, r)
		assert.Equal(t, []string{"small==1.0", "tiny==1.0"}, names(first.Packages))
		require.NotZero(t, asked.Swap(0))
		begin := time.Now()
		again := target(t, r)
		t.Logf("from the cache in %s", time.Since(begin))
		assert.Equal(t, first, again)
		assert.Zero(t, asked.Load(), "no index is asked")

		put(t, dir, "limits.txt", "tiny<3\n")
		other := target(t, r)
		assert.NotZero(t, asked.Load())
		assert.NotEqual(t, first.Key, other.Key)

		// A tree that is gone is made again, with the same name.
		put(t, dir, "limits.txt", "tiny<2\n")
		require.NoError(t, os.RemoveAll(first.Tree))
		assert.Equal(t, first, target(t, r))
		assert.DirExists(t, first.Tree)
	})
}

func TestTargetKeyIsTheSameElsewhere(t *testing.T) {
	var mu sync.Mutex
	var all []string
	eachTool(t, func(t *testing.T, environ []string) {
		links := wheels(t)
		pure(t, filepath.Join(links, "p"), "ownlib", "3", "py3-none-any")
		for _, more := range [][]string{{"TZ=UTC", "LANG=C"}, {"TZ=Asia/Tokyo", "LANG=C.UTF-8", "USER=somebody", "PYTHONDONTWRITEBYTECODE="}} {
			out := target(t, TargetRequest{Base: slim(), Dir: links, CacheDir: filepath.Join(t.TempDir(), strings.Repeat("d", len(more))),
				Environ: append(environ, more...), Requirements: []string{"--no-index", "-f .", "small", "./p"}})
			mu.Lock()
			all = append(all, out.Key)
			mu.Unlock()
		}
	})
	require.GreaterOrEqual(t, len(all), 2)
	for _, key := range all {
		assert.Equal(t, all[0], key, "neither machine, user, time nor tool is in the tree")
	}
}

func TestTargetHonoursHashes(t *testing.T) {
	eachTool(t, func(t *testing.T, environ []string) {
		links := wheels(t)
		src := sdist(t, links, "onlysource", "1.0", "py3-none-any")
		hash := func(file string) string {
			sum, err := fileHash(file)
			require.NoError(t, err)
			return " --hash=sha256:" + sum
		}
		tiny := filepath.Join(links, "tiny-1.0-py3-none-any.whl")
		r := TargetRequest{Base: slim(), CacheDir: t.TempDir(), Environ: environ,
			Requirements: []string{"--no-index", "--find-links " + links, "tiny==1.0" + hash(tiny), "onlysource==1.0" + hash(src)}}
		assert.Equal(t, []string{"onlysource==1.0", "tiny==1.0"}, names(target(t, r).Packages))
		for i, file := range []string{tiny, src} {
			bad := r
			bad.Requirements = append([]string{}, r.Requirements...)
			bad.Requirements[2+i] = strings.Replace(bad.Requirements[2+i], hash(file), hash(filepath.Join(links, "tiny-2.0-py3-none-any.whl")), 1)
			_, err := ResolveTarget(t.Context(), bad)
			kindIs(t, err, WrongHash)
		}
	})
}

func TestTargetRefusesBasesItCannotServe(t *testing.T) {
	for name, change := range map[string]func(*BaseFacts){
		"platform": func(b *BaseFacts) { b.Platform = "windows/amd64" },
		"machine":  func(b *BaseFacts) { b.Platform = "linux/m68k" },
		"python":   func(b *BaseFacts) { b.Python = "" },
		"old":      func(b *BaseFacts) { b.Python = "2.7" },
		"libc":     func(b *BaseFacts) { b.Libc = "bionic" },
	} {
		b := slim()
		change(&b)
		_, err := ResolveTarget(t.Context(), TargetRequest{Base: b, CacheDir: t.TempDir(), Requirements: []string{"tiny"}})
		kindIs(t, err, Invalid)
		_, err = ResolveTarget(t.Context(), TargetRequest{Base: b, CacheDir: t.TempDir()})
		assert.NoError(t, err, "%s: nothing is asked for", name)
	}
	for libc, want := range map[string]string{"glibc-2.36": "x86_64-manylinux_2_36", "glibc-2.30": "x86_64-manylinux_2_28", "musl-1.2": "x86_64-unknown-linux-musl"} {
		b := slim()
		b.Libc = libc
		f, err := fitOf(b)
		require.NoError(t, err)
		got, err := f.uv()
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
}

// TestTargetForOtherMachines takes wheels that do not run here.
func TestTargetForOtherMachines(t *testing.T) {
	eachTool(t, func(t *testing.T, environ []string) {
		links := t.TempDir()
		for _, tag := range []string{"cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-manylinux_2_28_aarch64", "cp310-cp310-musllinux_1_2_x86_64", "cp311-cp311-macosx_11_0_arm64"} {
			_, err := wheel.WriteTagged(links, "fast", "1.0", tag)
			require.NoError(t, err)
		}
		for _, tc := range []struct{ platform, python, libc, want string }{
			{"linux/amd64", "3.11", "glibc-2.36", "cp311-cp311-manylinux_2_17_x86_64"},
			{"linux/arm64/v8", "3.11", "glibc-2.31", "cp311-cp311-manylinux_2_28_aarch64"},
			{"linux/amd64", "3.10", "musl-1.2", "cp310-cp310-musllinux_1_2_x86_64"},
			{"linux/arm64", "3.11", "glibc-2.17", ""},
		} {
			b := slim()
			b.Platform, b.Python, b.Libc = tc.platform, tc.python, tc.libc
			out, err := ResolveTarget(t.Context(), TargetRequest{Base: b, CacheDir: t.TempDir(), Environ: environ,
				Requirements: []string{"--no-index", "-f " + links, "fast"}})
			if tc.want == "" {
				p := kindIs(t, err, NotFound)
				assert.Contains(t, p.Summary, "Python 3.11 on aarch64 with glibc 2.17")
				continue
			}
			require.NoError(t, err, "%s", detailOf(err))
			assert.Equal(t, "fast-1.0-"+tc.want, out.Packages[0].Wheel)
		}
	})
}
