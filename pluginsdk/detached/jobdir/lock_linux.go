package jobdir

import "golang.org/x/sys/unix"

// Locks of the open file: another close in the same process does not drop
// them, and a child that inherits the descriptor keeps them.
const (
	lockSet = unix.F_OFD_SETLK
	lockGet = unix.F_OFD_GETLK
)
