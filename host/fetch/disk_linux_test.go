package fetch

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/internal/disk"
)

// A full disk ends everything, keeps what is there, and with room the next call
// goes on behind it.
func TestDiskFull(t *testing.T) {
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI must run this test as root: it mounts a small file system")
		}
		t.Skip("NOT TESTED: a full disk (mounting a small one needs root)")
	}
	dir := t.TempDir()
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m,mode=700"))
	t.Cleanup(func() { assert.NoError(t, syscall.Unmount(dir, 0)) })
	require.NoError(t, os.WriteFile(dir+"/hog", make([]byte, 2<<20), 0o600))
	text := strings.Repeat("x", 3<<20)
	s := newStore(map[string]string{"big": text})
	got, err := Fetch(t.Context(), Options{Dir: dir, Run: "R", Outputs: far(), Source: s})
	require.True(t, disk.Full(err), "%v", err)
	assert.Empty(t, got.Files)
	require.NoError(t, os.Remove(dir+"/hog"))
	s.opened = nil
	_, err = Fetch(t.Context(), Options{Dir: dir, Run: "R", Outputs: far(), Source: s})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"big": text}, tree(t, dir))
	require.Len(t, s.opened, 2)
	assert.Greater(t, s.opened[1], int64(1<<20))
}
