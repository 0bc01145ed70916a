package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/registry"
)

// TestPython runs the package's own tests and checks its types, so that
// `go test ./...` is enough.
func TestPython(t *testing.T) {
	v := newVenv(t)
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	for _, argv := range [][]string{
		{v.Python, "-m", "pytest", "-p", "no:cacheprovider"},
		{v.Python, "-m", "mypy", "--cache-dir", t.TempDir()},
	} {
		t.Run(argv[2], func(t *testing.T) {
			cmd := exec.Command(argv[0], argv[1:]...)
			cmd.Dir = root
			cmd.Env = append(cmd.Environ(), "PYTHONDONTWRITEBYTECODE=1")
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
		})
	}
}

// TestPacked: one file that carries everything runs with a Python that has no
// packages.
func TestPacked(t *testing.T) {
	v := newVenv(t)
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	// From a copy: building leaves files beside the sources.
	source, dist := filepath.Join(t.TempDir(), "python"), t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(source, "stephost_flavor"), os.DirFS(filepath.Join(root, "stephost_flavor"))))
	for _, name := range []string{"pyproject.toml", "README.md"} {
		data, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(source, name), data, 0o600))
	}
	run(t, v.Python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", dist, source)
	packed := filepath.Join(dist, "pool.pyz")
	run(t, v.Python, "-m", "stephost_flavor", "pack", example, "--output", packed, "--find-links", dist)

	bare := t.TempDir()
	run(t, v.Python, "-m", "venv", "--without-pip", bare)
	w := newWorld(t, example, "") // its home and operator; the packed one replaces the script
	t.Setenv("PATH", filepath.Join(bare, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	h := w.host()
	_, err = h.Registry().Register(w.ctx, packed, registry.RegisterOptions{Replace: true})
	require.NoError(t, err)
	var launched []*started
	for range 3 {
		launched = append(launched, w.start(h, "echo hello", ""))
	}
	for _, l := range launched {
		require.Equal(t, "succeeded", w.wait(l).Class)
	}
}
