//go:build !unix

package serve

import (
	"os"
	"syscall"
)

func deafSignals() []os.Signal { return []os.Signal{os.Interrupt} }

func stopSignals() []os.Signal { return []os.Signal{syscall.SIGTERM} }
