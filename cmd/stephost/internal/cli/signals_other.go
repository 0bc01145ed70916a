//go:build !unix && !front

package cli

import (
	"os"
	"syscall"
)

func handledSignals() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM} }

func isPipe(os.Signal) bool { return false }
