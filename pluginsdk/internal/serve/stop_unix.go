//go:build unix

package serve

import (
	"os"
	"syscall"
)

// deafSignals have no effect. SIGINT and SIGHUP come from a terminal, and the
// host decides about those. SIGPIPE comes from writing to standard output or
// error when the host's reading end is gone; Go ends the process on it unless it
// is received.
func deafSignals() []os.Signal {
	return []os.Signal{syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE}
}

func stopSignals() []os.Signal { return []os.Signal{syscall.SIGTERM} }
