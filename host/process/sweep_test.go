//go:build linux

package process

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSweep(t *testing.T) {
	base, err := os.MkdirTemp("", "sp")
	require.NoError(t, err)
	defer os.RemoveAll(base)
	listen := func(name string) *net.UnixListener {
		dir := filepath.Join(base, name)
		require.NoError(t, os.Mkdir(dir, 0o700))
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "plugin1"), Net: "unix"})
		require.NoError(t, err)
		l.SetUnlinkOnClose(false)
		return l
	}
	live := listen("plugin-dir1")
	defer live.Close()
	listen("plugin-dir2").Close()
	require.NoError(t, os.Mkdir(filepath.Join(base, "plugin-dir3"), 0o700))
	require.NoError(t, os.Mkdir(filepath.Join(base, "other"), 0o700))

	sweep(base, time.Now())
	require.DirExists(t, filepath.Join(base, "plugin-dir2"), "too young to ask")
	sweep(base, time.Now().Add(sweepAge+time.Second))
	require.DirExists(t, filepath.Join(base, "plugin-dir1"))
	require.NoDirExists(t, filepath.Join(base, "plugin-dir2"))
	require.NoDirExists(t, filepath.Join(base, "plugin-dir3"))
	require.DirExists(t, filepath.Join(base, "other"))
}
