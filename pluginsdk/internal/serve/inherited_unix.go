//go:build unix

package serve

import (
	"os"
	"syscall"
)

// inherited makes a File of a descriptor that came with the process and keeps it,
// and every other one, from the children of the author's code.
func inherited(fd int) (*os.File, error) {
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return nil, err
	}
	syscall.CloseOnExec(fd)
	closeOthersOnExec()
	// A non-blocking descriptor gets a deadline, and reading it takes no thread.
	if err := syscall.SetNonblock(fd, true); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "lifeline"), nil
}
