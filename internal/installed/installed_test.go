package installed_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/internal/installed"
)

// TestMain is the binary that is installed: called by another name it says what
// it finds.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "host" {
		fmt.Println(installed.Path("plugins"))
		return
	}
	os.Exit(m.Run())
}

func TestPath(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	bin := filepath.Join(root, "bin", "host")
	install(t, bin)
	ask := func(path string) string {
		out, err := exec.Command(path).Output()
		require.NoError(t, err)
		return strings.TrimSpace(string(out))
	}
	libexec := filepath.Join(root, "libexec", "stephost", "plugins")
	assert.Equal(t, libexec, ask(bin), "a package manager's layout")

	link := filepath.Join(t.TempDir(), "host")
	require.NoError(t, os.Symlink(bin, link))
	assert.Equal(t, libexec, ask(link), "also through a link in another directory")

	beside := filepath.Join(root, "bin", "plugins")
	require.NoError(t, os.Mkdir(beside, 0o755))
	assert.Equal(t, beside, ask(bin), "beside the binary comes first")
}

// install copies this test binary.
func install(t *testing.T, to string) {
	self, err := os.Executable()
	require.NoError(t, err)
	in, err := os.Open(self)
	require.NoError(t, err)
	defer func() { require.NoError(t, in.Close()) }()
	require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(out, in)
	require.NoError(t, err)
	require.NoError(t, out.Close())
}
