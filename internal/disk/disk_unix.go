//go:build unix

package disk

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Free is what this user may still write, and the disk's size.
func Free(dir string) (free, total int64, ok bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, false
	}
	return int64(st.Bavail) * int64(st.Bsize), int64(st.Blocks) * int64(st.Bsize), true
}

// Full tells whether err says that there is no space: on the disk, in a quota, or
// by the process's own limit of file sizes.
func Full(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EFBIG)
}
