//go:build unix && !linux

package jobdir

import "golang.org/x/sys/unix"

// Locks of the process. They end with any close of the file in this process:
// the runner opens it once.
const (
	lockSet = unix.F_SETLK
	lockGet = unix.F_GETLK
)
