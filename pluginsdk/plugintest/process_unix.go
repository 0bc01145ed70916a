//go:build unix

package plugintest

import (
	"os"
	"os/exec"
	"syscall"
)

// lifelines tells whether a plugin can inherit one.
const lifelines = true

var errBrokenPipe error = syscall.EPIPE

func ownGroup(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func killGroup(pid int) {
	if pid > 1 {
		_ = syscall.Kill(-pid, syscall.SIGKILL)
	}
}

func terminate(pid int) { _ = syscall.Kill(pid, syscall.SIGTERM) }

// deafSignals mean nothing to a plugin.
func deafSignals() []os.Signal { return []os.Signal{syscall.SIGINT, syscall.SIGHUP} }
