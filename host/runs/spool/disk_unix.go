//go:build unix

package spool

import (
	"errors"

	"golang.org/x/sys/unix"
)

// diskFree is what this user may still write, and the disk's size.
func diskFree(dir string) (free, total int64, ok bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, false
	}
	return int64(st.Bavail) * int64(st.Bsize), int64(st.Blocks) * int64(st.Bsize), true
}

// isFull: no space, no quota, or the process's own limit of file sizes.
func isFull(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EFBIG)
}
