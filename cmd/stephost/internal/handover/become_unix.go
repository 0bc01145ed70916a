//go:build unix

package handover

import (
	"os"
	"syscall"
)

// Become executes the host program in this process. It returns only when that cannot
// be done.
func Become() error { return syscall.Exec(Program(), os.Args, environ()) }
