//go:build unix && !linux

package group

import (
	"os/exec"
	"syscall"
)

// waitsUnreaped: there is no portable wait that leaves the zombie.
const waitsUnreaped = false

func setGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func waitExited(*exec.Cmd) {}
