package pyenv

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

// Env is a virtual environment.
type Env struct {
	// Bin is its directory of programs, Python its interpreter.
	Bin, Python string
}

// Path is a PATH in which it comes first: registration finds its python3.
func (e Env) Path() string { return e.Bin + string(os.PathListSeparator) + os.Getenv("PATH") }

// Make finds the environment for the repository at root, or makes it, which takes
// a package index and the better part of a minute.
func Make(ctx context.Context, root string) (Env, error) {
	sdk, err := filepath.Abs(filepath.Join(root, "python"))
	if err != nil {
		return Env{}, err
	}
	return find(ctx, "python", filepath.Join(sdk, "requirements-dev.txt"), sdk)
}

// Of is an environment with what a file of pinned requirements lists, and nothing
// of the checkout. name says what for, in the cache directory.
func Of(ctx context.Context, name, requirements string) (Env, error) {
	return find(ctx, name, requirements, "")
}

// find finds or makes an environment; sdk is a directory that it sees as well, or
// "".
func find(ctx context.Context, name, file, sdk string) (Env, error) {
	requirements, err := os.ReadFile(file)
	if err != nil {
		return Env{}, err
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		return Env{}, fmt.Errorf("these tests need python3: %w", err)
	}
	version, err := run(ctx, python, "-c", "import sys; print(sys.version, sys.executable)")
	if err != nil {
		return Env{}, err
	}
	key := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s", requirements, version, sdk))
	below, err := cacheDir()
	if err != nil {
		return Env{}, err
	}
	dir := filepath.Join(below, fmt.Sprintf("%s-%x", name, key[:8]))
	e := Env{Bin: filepath.Join(dir, "bin"), Python: filepath.Join(dir, "bin", "python3")}

	lock := flock.New(dir + ".lock")
	if err := lock.Lock(); err != nil {
		return e, err
	}
	defer func() { _ = lock.Unlock() }() // the end of the process unlocks, too
	done := filepath.Join(dir, ".done")
	if _, err := os.Stat(done); err == nil {
		return e, nil
	}
	if err := e.fill(ctx, python, dir, file, sdk); err != nil {
		return e, err
	}
	return e, os.WriteFile(done, nil, 0o600)
}

// fill makes the environment in dir.
func (e Env) fill(ctx context.Context, python, dir, requirements, sdk string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if _, err := run(ctx, python, "-m", "venv", dir); err != nil {
		return err
	}
	if _, err := run(ctx, e.Python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
		"-r", requirements); err != nil {
		return err
	}
	if sdk == "" {
		return nil
	}
	site, err := run(ctx, e.Python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(strings.TrimSpace(site), "checkout.pth"), []byte(sdk+"\n"), 0o600)
}

// cacheDir is below the user's cache directory, or, where there is none, below
// that for temporary files.
func cacheDir() (string, error) {
	if dir, err := os.UserCacheDir(); err == nil {
		dir = filepath.Join(dir, "stephost-tests")
		if os.MkdirAll(dir, 0o700) == nil {
			return dir, nil
		}
	}
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("stephost-tests-%d", os.Getuid()))
	return dir, os.MkdirAll(dir, 0o700)
}

func run(ctx context.Context, argv ...string) (string, error) {
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, out)
	}
	return string(out), nil
}
