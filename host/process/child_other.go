//go:build !unix

package process

import (
	"errors"
	"syscall"
)

// lifelines: Windows has no inherited descriptor numbers. Plugins are protected by
// AutoMTLS there and ended by go-plugin's Shutdown.
const lifelines = false

var errExecFormat = syscall.Errno(193) // ERROR_BAD_EXE_FORMAT

func isBusy(err error) bool { return errors.Is(err, syscall.Errno(32)) } // ERROR_SHARING_VIOLATION

func lifelineVar(int) string { return "" }

func signalName(syscall.WaitStatus) string { return "" }

func (c *child) platform(bool) (*syscall.SysProcAttr, func() Exit) {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}, func() Exit {
		st, _ := c.proc.Wait()
		return exitOf(st)
	}
}

func (c *child) terminate() {}

func (c *child) kill() {
	if !c.hasExited() {
		_ = c.proc.Kill()
	}
}
