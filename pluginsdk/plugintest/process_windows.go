package plugintest

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// lifelines: Windows has no inherited descriptor numbers.
const lifelines = false

var errBrokenPipe = errors.New("broken pipe")

func ownGroup(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

func killGroup(pid int) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill()
	}
}

func terminate(pid int) { killGroup(pid) }

func deafSignals() []os.Signal { return nil }

func groupMembers(int) []string { return nil }
