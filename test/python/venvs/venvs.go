// Package venvs makes virtual environments for the tests and benchmarks of what
// runs in Python.
//
// Invariants:
//
//   - a set of pinned packages is installed once for each content of its file and
//     each Python, below the user's cache directory, and only read after that;
//   - what is under test is installed into an environment of its own, which sees
//     the pinned packages and is thrown away;
//   - many processes may ask at once; a half-made environment is never used.
package venvs

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gofrs/flock"
)

// Oldest is the oldest minor of Python 3 that the package supports.
const Oldest = 9

// Python is an interpreter.
type Python struct {
	Path  string
	Minor int
}

// Find lists the Pythons at hand that are supported and can make environments, one
// of each minor, the oldest first.
func Find(ctx context.Context) ([]Python, error) {
	var candidates []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		for _, pattern := range []string{"python3", "python3.[0-9]", "python3.[0-9][0-9]"} {
			found, _ := filepath.Glob(filepath.Join(dir, pattern))
			candidates = append(candidates, found...)
		}
	}
	// Those of a version manager are on PATH only where one is chosen.
	if home, err := os.UserHomeDir(); err == nil {
		found, _ := filepath.Glob(filepath.Join(home, ".pyenv", "versions", "3.*", "bin", "python3"))
		candidates = append(candidates, found...)
	}
	by := map[int]Python{}
	for _, path := range candidates {
		out, err := exec.CommandContext(ctx, path, "-c", "import sys, venv, ensurepip; print(sys.version_info[1], sys._base_executable)").Output()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var p Python
		if err != nil {
			continue // a shim without a version, or a Python without venv
		}
		if _, err := fmt.Sscan(string(out), &p.Minor, &p.Path); err != nil || p.Minor < Oldest {
			continue
		}
		if _, known := by[p.Minor]; !known {
			by[p.Minor] = p
		}
	}
	var all []Python
	for _, p := range by {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b Python) int { return a.Minor - b.Minor })
	if len(all) == 0 {
		return nil, errors.New("no Python 3.9 or newer with venv was found")
	}
	return all, nil
}

// Env is a virtual environment.
type Env struct {
	Dir, Bin, Python string
	site             string
}

// Pinned is the environment that a file of pinned packages describes.
func Pinned(ctx context.Context, p Python, pins string) (Env, error) {
	content, err := os.ReadFile(pins)
	if err != nil {
		return Env{}, err
	}
	below, err := cacheDir()
	if err != nil {
		return Env{}, err
	}
	key := sha256.Sum256(fmt.Appendf(nil, "1\x00%s\x00%s\x00%d", content, p.Path, p.Minor))
	name := strings.TrimSuffix(filepath.Base(pins), ".txt")
	dir := filepath.Join(below, fmt.Sprintf("%s-%x", name, key[:8]))
	lock := flock.New(dir + ".lock")
	if err := lock.Lock(); err != nil {
		return Env{}, err
	}
	defer func() { _ = lock.Unlock() }() // the end of the process unlocks, too
	done := filepath.Join(dir, ".done")
	if _, err := os.Stat(done); err == nil {
		return at(ctx, dir)
	}
	if err := os.RemoveAll(dir); err != nil {
		return Env{}, err
	}
	if _, err := run(ctx, p.Path, "-m", "venv", dir); err != nil {
		return Env{}, err
	}
	e, err := at(ctx, dir)
	if err != nil {
		return e, err
	}
	// uv needs seconds for what pip needs minutes.
	if uv, err := exec.LookPath("uv"); err == nil {
		_, err = run(ctx, uv, "pip", "install", "--quiet", "--python", e.Python, "-r", pins)
		if err != nil {
			return e, err
		}
	} else if _, err := run(ctx, e.Python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", pins); err != nil {
		return e, err
	}
	return e, os.WriteFile(done, nil, 0o600)
}

// Fresh makes an environment in dir, with wheels, that sees the packages of the
// pinned environments.
func Fresh(ctx context.Context, p Python, dir string, wheels []string, pinned ...Env) (Env, error) {
	// Without pip, whose installation is most of what an environment costs.
	if _, err := run(ctx, p.Path, "-m", "venv", "--without-pip", dir); err != nil {
		return Env{}, err
	}
	e, err := at(ctx, dir)
	if err != nil {
		return e, err
	}
	if len(wheels) > 0 {
		args := append([]string{p.Path, "-m", "pip", "--python", e.Python, "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"}, wheels...)
		if uv, err := exec.LookPath("uv"); err == nil {
			args = append([]string{uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", e.Python}, wheels...)
		}
		if _, err := run(ctx, args...); err != nil {
			return e, err
		}
	}
	var lines strings.Builder
	for _, o := range pinned {
		fmt.Fprintf(&lines, "import site; site.addsitedir(%q)\n", o.site)
	}
	return e, os.WriteFile(filepath.Join(e.site, "pinned.pth"), []byte(lines.String()), 0o600)
}

func at(ctx context.Context, dir string) (Env, error) {
	e := Env{Dir: dir, Bin: filepath.Join(dir, "bin"), Python: filepath.Join(dir, "bin", "python3")}
	site, err := run(ctx, e.Python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
	e.site = strings.TrimSpace(site)
	return e, err
}

func cacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	dir = filepath.Join(dir, "stephost-test", "venvs")
	return dir, os.MkdirAll(dir, 0o700)
}

func run(ctx context.Context, argv ...string) (string, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, out)
	}
	return string(out), nil
}
