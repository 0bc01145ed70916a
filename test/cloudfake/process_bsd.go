//go:build unix && !linux

package cloudfake

import (
	"os/exec"
	"syscall"
)

func tie(*syscall.SysProcAttr) {}

func startTied(cmd *exec.Cmd) error { return cmd.Start() }
