package e2e

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/require"
)

// venv is a virtual environment in which flavors run.
type venv struct{ bin, python string }

// newVenv makes the virtual environment of requirements-dev.txt, or finds it. The
// package itself is not installed: it is found in this checkout.
func newVenv(t *testing.T) venv {
	t.Helper()
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	requirements, err := os.ReadFile(filepath.Join(root, "requirements-dev.txt"))
	require.NoError(t, err)
	python, err := exec.LookPath("python3")
	require.NoError(t, err, "the tests of flavors in Python need python3")
	version, err := exec.Command(python, "-c", "import sys; print(sys.version, sys.executable)").Output()
	require.NoError(t, err)
	key := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s", requirements, version, root))
	dir := filepath.Join(cacheDir(t), fmt.Sprintf("python-%x", key[:8]))
	v := venv{bin: filepath.Join(dir, "bin"), python: filepath.Join(dir, "bin", "python3")}

	// Several test processes may come here at once.
	require.NoError(t, os.MkdirAll(filepath.Dir(dir), 0o700))
	lock := flock.New(dir + ".lock")
	require.NoError(t, lock.Lock())
	defer func() { require.NoError(t, lock.Unlock()) }()
	done := filepath.Join(dir, ".done")
	if _, err := os.Stat(done); err == nil {
		return v
	}
	require.NoError(t, os.RemoveAll(dir))
	run(t, python, "-m", "venv", dir)
	run(t, v.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", filepath.Join(root, "requirements-dev.txt"))
	site, err := exec.Command(v.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").Output()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(strings.TrimSpace(string(site)), "checkout.pth"), []byte(root+"\n"), 0o600))
	require.NoError(t, os.WriteFile(done, nil, 0o600))
	return v
}

func cacheDir(t *testing.T) string {
	dir, err := os.UserCacheDir()
	if err == nil {
		dir = filepath.Join(dir, "stephost-tests")
		if os.MkdirAll(dir, 0o700) == nil {
			return dir
		}
	}
	dir = filepath.Join(os.TempDir(), "stephost-tests")
	require.NoError(t, os.MkdirAll(dir, 0o700))
	return dir
}

// use makes the environment's Python the one that registration finds.
func (v venv) use(t *testing.T) {
	t.Setenv("PATH", v.bin+string(os.PathListSeparator)+os.Getenv("PATH"))
}

func run(t *testing.T, argv ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	require.NoError(t, err, "%s\n%s", strings.Join(argv, " "), out)
	return string(out)
}
