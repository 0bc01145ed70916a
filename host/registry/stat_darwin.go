package registry

import (
	"syscall"

	"golang.org/x/sys/unix"
)

func changeTime(s *syscall.Stat_t) int64 { return s.Ctimespec.Nano() }

// noexec says whether files in dir cannot be executed.
func noexec(dir string) bool {
	var st unix.Statfs_t
	return unix.Statfs(dir, &st) == nil && st.Flags&unix.MNT_NOEXEC != 0
}
