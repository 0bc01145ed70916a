package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
	dist := t.TempDir()
	run(t, v.Python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", dist, copySDK(t, root))
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

// TestScript: a PEP 723 script whose packages uv installs, with the manifest inside.
func TestScript(t *testing.T) {
	v := newVenv(t)
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	source, err := os.ReadFile(example)
	require.NoError(t, err)
	// From a copy: building the package leaves files beside its sources.
	sdk := copySDK(t, root)
	text := strings.NewReplacer(
		`dependencies = ["stephost-flavor==0.1.*"]`, fmt.Sprintf(`dependencies = ["stephost-flavor @ file://%s"]`, sdk),
		`"{interpreter:python3>=3.10}", "{file}"`, `"{interpreter:uv}", "run", "--quiet", "--script", "{file}"`,
		`flavor "pool"`, `flavor "script"`).Replace(string(source))
	require.NotContains(t, text, "{interpreter:python3", "the example has changed")
	script := filepath.Join(shortDir(t), "script.py")
	require.NoError(t, os.WriteFile(script, []byte(text), 0o700))
	run(t, v.Python, "-m", "stephost_flavor", "stamp", script)
	// uv fetches the packages now; the host gives a plugin 30 s to start.
	run(t, filepath.Join(v.Bin, "uv"), "run", "--quiet", "--script", script, "version")

	w := newWorld(t, script, "")
	l := w.start(w.host(), "echo hello; exit 4", "")
	verdict := w.wait(l)
	require.Equal(t, "user", verdict.Class, verdict.Message)
	require.Equal(t, 4, *verdict.ExitCode)
	out, _ := w.log(l.Session, "stdout")
	require.Equal(t, "hello\n", out)
}

// copySDK copies what a build of the package needs.
func copySDK(t *testing.T, root string) string {
	source := filepath.Join(t.TempDir(), "python")
	require.NoError(t, os.CopyFS(filepath.Join(source, "stephost_flavor"), os.DirFS(filepath.Join(root, "stephost_flavor"))))
	for _, name := range []string{"pyproject.toml", "README.md"} {
		data, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(source, name), data, 0o600))
	}
	return source
}
