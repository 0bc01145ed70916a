package environment_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stephost/stephost/host/environment"
	"github.com/stephost/stephost/host/environment/internal/wheel"
	"github.com/stephost/stephost/host/environment/source"
	"github.com/stephost/stephost/host/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func put(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

func read(t *testing.T, elem ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(elem...))
	require.NoError(t, err)
	return string(data)
}

// plain is this process's environment without what pip and uv were told.
func plain() []string {
	list := []string{"PIP_CONFIG_FILE=" + os.DevNull, "PIP_NO_INDEX=1"}
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "PIP_") && !strings.HasPrefix(kv, "UV_") {
			list = append(list, kv)
		}
	}
	return list
}

func TestNothingToPrepare(t *testing.T) {
	dir := t.TempDir()
	r := environment.DirectoryRequest{WorkDir: filepath.Join(dir, "runs", "1", "work"), CacheDir: filepath.Join(dir, "cache"),
		Environ: []string{"PATH=/nowhere"}} // no interpreter is looked for
	d, err := environment.PrepareDirectory(t.Context(), r)
	require.NoError(t, err)
	assert.Equal(t, &environment.Directory{Path: r.WorkDir}, d)
	fi, err := os.Stat(d.Path)
	require.NoError(t, err)
	if runtime.GOOS != "windows" {
		assert.Equal(t, os.ModeDir|0o700, fi.Mode())
	}
	assert.NoFileExists(t, r.CacheDir)
	_, err = environment.PrepareDirectory(t.Context(), r)
	assert.NoError(t, err, "again")
	p, err := environment.Describe(t.Context(), r)
	require.NoError(t, err)
	assert.Equal(t, &environment.DirectoryPlan{}, p)
}

func TestSourceAndRequirements(t *testing.T) {
	dir := t.TempDir()
	_, err := wheel.Write(filepath.Join(dir, "wheels"), "tiny", "1.0")
	require.NoError(t, err)
	put(t, dir, "app/train.py", "import tiny, helper; print(tiny.version, helper.name)")
	put(t, dir, "app/.gitignore", "data/\n")
	put(t, dir, "app/data/big", "x")
	put(t, dir, "shared/helper.py", "name = 'shared'")
	put(t, dir, "app/requirements.txt", "-f ../wheels\ntiny\n")
	var said []string
	r := environment.DirectoryRequest{
		WorkDir: filepath.Join(dir, "work"), CacheDir: filepath.Join(dir, "cache"), Dir: dir,
		Sources:          []environment.Source{{Path: "app"}, {Path: "shared", Target: "."}},
		RequirementsFile: "app/requirements.txt",
		Environ:          plain(),
		Progress:         func(l string) { said = append(said, l) },
	}
	p, err := environment.Describe(t.Context(), r)
	require.NoError(t, err)
	assert.Equal(t, 4, p.Files)
	assert.False(t, p.VenvCached)
	assert.NotEmpty(t, p.PythonVersion)
	assert.NoFileExists(t, r.CacheDir, "describing creates nothing")

	d, err := environment.PrepareDirectory(t.Context(), r)
	require.NoError(t, err)
	assert.Equal(t, p.Venv, d.Venv)
	assert.Equal(t, p.RequirementsDigest, d.RequirementsDigest)
	assert.Equal(t, 4, d.SourceFiles)
	assert.Equal(t, p.Bytes, d.SourceBytes)
	assert.NoFileExists(t, filepath.Join(d.Path, "data"))
	cmd := exec.Command(filepath.Join(environment.BinDir(d.Venv), filepath.Base(d.Python)), "train.py")
	cmd.Dir = d.Path
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Equal(t, "1.0 shared\n", strings.ReplaceAll(string(out), "\r", ""))
	assert.Contains(t, strings.Join(said, "\n"), "copying the source: 4 files")
	p, err = environment.Describe(t.Context(), r)
	require.NoError(t, err)
	assert.True(t, p.VenvCached)
}

func TestPreparingAgainKeepsWhatTheStepDid(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "app/a", "one")
	r := environment.DirectoryRequest{WorkDir: filepath.Join(dir, "work"), CacheDir: filepath.Join(dir, "cache"),
		Sources: []environment.Source{{Path: filepath.Join(dir, "app")}}}
	first, err := environment.PrepareDirectory(t.Context(), r)
	require.NoError(t, err)

	put(t, first.Path, "a", "by the step")
	put(t, dir, "app/a", "changed later")
	again, err := environment.PrepareDirectory(t.Context(), r)
	require.NoError(t, err)
	assert.Equal(t, first, again)
	assert.Equal(t, "by the step", read(t, first.Path, "a"))

	require.NoError(t, os.Remove(filepath.Join(first.Path, "a")))
	_, err = environment.PrepareDirectory(t.Context(), r)
	require.NoError(t, err)
	assert.NoFileExists(t, filepath.Join(first.Path, "a"), "a step may have removed everything")
}

// TestCrashes leaves what a killed preparation leaves, at each place.
func TestCrashes(t *testing.T) {
	for name, leave := range map[string]func(t *testing.T, work string){
		"while copying":      func(t *testing.T, w string) { put(t, w+".partial", "half", "x") },
		"made by the caller": func(t *testing.T, w string) { require.NoError(t, os.MkdirAll(w, 0o700)) },
		"record written":     func(t *testing.T, w string) { put(t, w+".partial", "a", "x"); put(t, w, "../work.source.json", "{}") },
		"record, and the caller's directory": func(t *testing.T, w string) {
			require.NoError(t, os.MkdirAll(w, 0o700))
			put(t, w+".partial", "a", "x")
			put(t, w, "../work.source.json", "{}")
		},
		"record torn": func(t *testing.T, w string) { put(t, w, "../work.source.json", "{") },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, "app/a", "one")
			work := filepath.Join(dir, "work")
			leave(t, work)
			d, err := environment.PrepareDirectory(t.Context(), environment.DirectoryRequest{WorkDir: work, CacheDir: filepath.Join(dir, "cache"),
				Sources: []environment.Source{{Path: filepath.Join(dir, "app")}}})
			require.NoError(t, err)
			assert.Equal(t, "one", read(t, work, "a"))
			assert.Equal(t, 1, d.SourceFiles)
			assert.NoFileExists(t, work+".partial")
			names, err := os.ReadDir(work)
			require.NoError(t, err)
			assert.Len(t, names, 1)
		})
	}
	t.Run("somebody else's files", func(t *testing.T) {
		dir := t.TempDir()
		put(t, dir, "app/a", "one")
		put(t, dir, "work/theirs", "x")
		_, err := environment.PrepareDirectory(t.Context(), environment.DirectoryRequest{WorkDir: filepath.Join(dir, "work"), CacheDir: filepath.Join(dir, "cache"),
			Sources: []environment.Source{{Path: filepath.Join(dir, "app")}}})
		assert.ErrorContains(t, err, "not put there by a preparation")
		assert.Equal(t, "x", read(t, dir, "work/theirs"))
	})
}

func TestHomeInsideTheSource(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a", "one")
	put(t, dir, ".stephost/runs/db", "x")
	d, err := environment.PrepareDirectory(t.Context(), environment.DirectoryRequest{
		WorkDir: filepath.Join(dir, "work", "1"), CacheDir: filepath.Join(dir, "cache"),
		Sources: []environment.Source{{Path: dir}}, NeverCopy: []string{filepath.Join(dir, ".stephost")}})
	require.NoError(t, err)
	assert.Equal(t, 1, d.SourceFiles)
}

func TestProblemsSayWhatToDo(t *testing.T) {
	for _, tc := range []struct {
		name, summary, detail, next string
		make                        func(t *testing.T, dir string) environment.DirectoryRequest
	}{
		{"missing", "no such file", "", "correct the path", func(t *testing.T, dir string) environment.DirectoryRequest {
			return environment.DirectoryRequest{Sources: []environment.Source{{Path: "none"}}}
		}},
		{"target", "does not stay inside", "", "relative target", func(t *testing.T, dir string) environment.DirectoryRequest {
			return environment.DirectoryRequest{Sources: []environment.Source{{Path: ".", Target: "../x"}}}
		}},
		{"link", "points out of", "", `exclude = ["/data"]`, func(t *testing.T, dir string) environment.DirectoryRequest {
			require.NoError(t, os.Symlink("/mnt", filepath.Join(dir, "data")))
			return environment.DirectoryRequest{Sources: []environment.Source{{Path: "."}}}
		}},
		{"large", "2.0 GiB, over the limit of 1.0 GiB", `"data/big" (2.0 GiB)`, "allow_large = true", func(t *testing.T, dir string) environment.DirectoryRequest {
			require.NoError(t, os.Truncate(put(t, dir, "data/big", ""), 2<<30))
			return environment.DirectoryRequest{Sources: []environment.Source{{Path: "."}}}
		}},
		{"python", "no Python 3 found", "", "install Python 3", func(t *testing.T, dir string) environment.DirectoryRequest {
			return environment.DirectoryRequest{Requirements: []string{"six"}, Environ: []string{"PATH=/nowhere"}}
		}},
		{"no place", "cannot make the work directory", "", "STEPHOST_HOME", func(t *testing.T, dir string) environment.DirectoryRequest {
			return environment.DirectoryRequest{WorkDir: filepath.Join(put(t, dir, "file", ""), "work")}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			r := tc.make(t, dir)
			r.Dir, r.CacheDir = dir, t.TempDir()
			if r.WorkDir == "" {
				r.WorkDir = filepath.Join(t.TempDir(), "work")
			}
			_, err := environment.PrepareDirectory(t.Context(), r)
			var p *problem.Error
			require.ErrorAs(t, err, &p)
			assert.Contains(t, p.Error(), tc.summary)
			assert.Contains(t, p.Detail, tc.detail)
			assert.Contains(t, p.Next, tc.next)
			assert.NotEmpty(t, p.Class)
			assert.NoFileExists(t, r.WorkDir)
		})
	}
}

func TestLargeSourceWarnsAndPlans(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Truncate(put(t, dir, "data/big", ""), 2<<30))
	p, err := environment.Describe(t.Context(), environment.DirectoryRequest{WorkDir: filepath.Join(dir, "w"), CacheDir: filepath.Join(dir, "c"), Sources: []environment.Source{{Path: dir}}})
	require.NoError(t, err)
	assert.True(t, p.TooLarge)
	assert.Equal(t, []source.Size{{Path: "data/big", Bytes: 2 << 30}}, p.Biggest)
	require.Len(t, p.Warnings, 1)
	assert.Contains(t, p.Warnings[0], `"data/big" (2.0 GiB)`)
}

func TestCancelled(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a", "x")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := environment.PrepareDirectory(ctx, environment.DirectoryRequest{WorkDir: filepath.Join(dir, "w"), CacheDir: filepath.Join(dir, "c"), Sources: []environment.Source{{Path: dir}}})
	var p *problem.Error
	require.ErrorAs(t, err, &p)
	assert.Equal(t, problem.Cancelled, p.Class)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestManyAttemptsAtOnce(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "app/a", "one")
	put(t, dir, "app/d/b", "two")
	var wg sync.WaitGroup
	for i := range 20 {
		work := filepath.Join(dir, "work", string(rune('a'+i)))
		wg.Go(func() {
			_, err := environment.PrepareDirectory(context.Background(), environment.DirectoryRequest{WorkDir: work, CacheDir: filepath.Join(dir, "cache"),
				Sources: []environment.Source{{Path: filepath.Join(dir, "app")}}})
			assert.NoError(t, err)
			data, err := os.ReadFile(filepath.Join(work, "d", "b"))
			assert.NoError(t, err)
			assert.Equal(t, "two", string(data))
		})
	}
	wg.Wait()
}

func BenchmarkNothing(b *testing.B) {
	dir := b.TempDir()
	for i := 0; b.Loop(); i++ {
		if _, err := environment.PrepareDirectory(b.Context(), environment.DirectoryRequest{WorkDir: filepath.Join(dir, "w", "x"), CacheDir: filepath.Join(dir, "c")}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSource prepares a project of 200 files that was packed before.
func BenchmarkSource(b *testing.B) {
	dir := b.TempDir()
	for i := range 200 {
		put(b, dir, filepath.Join("app", "d"+string(rune('a'+i%10)), "f"+string(rune('a'+i/10))), strings.Repeat("x", 4000+i))
	}
	for i := 0; b.Loop(); i++ {
		work := filepath.Join(dir, "w", string(rune('a'+i%26)))
		if _, err := environment.PrepareDirectory(b.Context(), environment.DirectoryRequest{WorkDir: work, CacheDir: filepath.Join(dir, "c"),
			Sources: []environment.Source{{Path: filepath.Join(dir, "app")}}}); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		os.RemoveAll(work)
		b.StartTimer()
	}
}
