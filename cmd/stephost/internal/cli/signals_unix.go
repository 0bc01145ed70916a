//go:build unix && !front

package cli

import (
	"os"
	"syscall"
)

func handledSignals() []os.Signal {
	return []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE}
}

func isPipe(s os.Signal) bool { return s == syscall.SIGPIPE }
