//go:build unix

package process

import (
	"os"
	"syscall"
)

// private tells whether a directory is this user's, and nobody else can look
// into it.
func private(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.IsDir() && info.Mode().Perm()&0o077 == 0 && int(st.Uid) == os.Getuid()
}
