//go:build unix

package source

import (
	"os"
	"syscall"
)

// errNotDir is what opening a path below a file gives (.git as a file).
var errNotDir error = syscall.ENOTDIR

// openRegular opens for reading without following a link in the last place and
// without blocking: between the scan and the opening, a file may have become a
// link out of the tree or a FIFO.
func openRegular(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
}
