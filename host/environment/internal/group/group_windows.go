package group

import (
	"os/exec"
	"syscall"
)

const waitsUnreaped = false

func setGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

func waitExited(*exec.Cmd) {}

// terminate has no polite form here.
func terminate(cmd *exec.Cmd) { kill(cmd) }

func kill(cmd *exec.Cmd) { _ = cmd.Process.Kill() }
