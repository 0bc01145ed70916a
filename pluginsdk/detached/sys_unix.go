//go:build unix

package detached

import "golang.org/x/sys/unix"

// errReadOnly: the file system is mounted read-only.
const errReadOnly = unix.EROFS

// writable tells whether this user may write into dir.
func writable(dir string) bool { return unix.Access(dir, unix.W_OK|unix.X_OK) == nil }
