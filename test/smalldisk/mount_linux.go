package smalldisk

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Mount puts a file system of size ("4m") on dir, which must exist, until the test is
// over. unmount is 0, or syscall.MNT_DETACH where somebody may still hold files of it.
func Mount(t testing.TB, dir, size string, unmount int) {
	t.Helper()
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI must run this test as root: it mounts a small file system")
		}
		t.Skip("NOT TESTED: a full disk (mounting a small one needs root)")
	}
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size+",mode=700"))
	t.Cleanup(func() { assert.NoError(t, syscall.Unmount(dir, unmount)) })
}
