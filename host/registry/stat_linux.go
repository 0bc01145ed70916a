package registry

import (
	"syscall"

	"golang.org/x/sys/unix"
)

func changeTime(s *syscall.Stat_t) int64 { return s.Ctim.Nano() }

// noexec says whether files in dir cannot be executed.
func noexec(dir string) bool {
	var st unix.Statfs_t
	return unix.Statfs(dir, &st) == nil && st.Flags&unix.ST_NOEXEC != 0
}
