package runs

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestNetworkFileSystems(t *testing.T) {
	require.NoError(t, refuseNetwork(t.TempDir()))
	require.Error(t, refuseNetwork(t.TempDir()+"/none"))
	for magic, want := range map[uint32]string{unix.NFS_SUPER_MAGIC: "NFS", unix.CIFS_SUPER_MAGIC: "SMB", unix.SMB2_SUPER_MAGIC: "SMB",
		unix.EXT4_SUPER_MAGIC: "", unix.OVERLAYFS_SUPER_MAGIC: "", unix.TMPFS_MAGIC: "", unix.BTRFS_SUPER_MAGIC: ""} {
		assert.Equal(t, want, networkName(magic))
	}
	assert.Contains(t, (&NetworkStoreError{Dir: "/d", FileSystem: "NFS"}).Error(), "NFS")
}
