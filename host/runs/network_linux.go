package runs

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// refuseNetwork refuses directories on file systems that other machines can
// mount. FUSE is not in the list: most of it is local (a container's layers),
// and it does not say what it is.
func refuseNetwork(dir string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return fmt.Errorf("the store of runs: %s: %w", dir, err)
	}
	if name := networkName(uint32(st.Type)); name != "" {
		return &NetworkStoreError{Dir: dir, FileSystem: name}
	}
	return nil
}

// networkName is the name of a network file system by its magic number.
func networkName(magic uint32) string {
	const ( // those that x/sys does not name
		lustre = 0x0bd00bd0
		gpfs   = 0x47504653
		beegfs = 0x19830326
		gfs2   = 0x01161970
	)
	switch magic {
	case unix.NFS_SUPER_MAGIC:
		return "NFS"
	case unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC:
		return "SMB"
	case unix.AFS_SUPER_MAGIC, unix.AFS_FS_MAGIC:
		return "AFS"
	case unix.CODA_SUPER_MAGIC:
		return "Coda"
	case unix.CEPH_SUPER_MAGIC:
		return "CephFS"
	case unix.V9FS_MAGIC:
		return "9p"
	case unix.OCFS2_SUPER_MAGIC:
		return "OCFS2"
	case lustre:
		return "Lustre"
	case gpfs:
		return "GPFS"
	case beegfs:
		return "BeeGFS"
	case gfs2:
		return "GFS2"
	}
	return ""
}
