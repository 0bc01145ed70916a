//go:build unix

package process

import (
	"errors"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/stephost/stephost/proto/stephost/lifeline"
)

// lifelines tells whether a child can inherit one.
const lifelines = true

const errExecFormat = syscall.ENOEXEC

func isBusy(err error) bool { return errors.Is(err, syscall.ETXTBSY) }

func lifelineVar(fd int) string { return lifeline.EnvFD + "=" + strconv.Itoa(fd) }

func signalName(ws syscall.WaitStatus) string {
	if !ws.Signaled() {
		return ""
	}
	if name := unix.SignalName(ws.Signal()); name != "" {
		return name
	}
	return "signal " + strconv.Itoa(int(ws.Signal()))
}

// terminate asks the group to end. A stopped process gets the request only when
// it goes on.
func (c *child) terminate() {
	c.signal(syscall.SIGTERM)
	c.signal(syscall.SIGCONT)
}

// kill ends the group.
func (c *child) kill() { c.signal(syscall.SIGKILL) }

// signal reaches the group while its leader is not reaped: its number cannot
// have gone to another process.
func (c *child) signal(s syscall.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pid > 1 && !c.ending {
		_ = syscall.Kill(-c.pid, s)
	}
}

// endGroup kills what is left of the group; nothing is sent to it afterwards.
func (c *child) endGroup() {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = syscall.Kill(-c.pid, syscall.SIGKILL)
	c.ending = true
}
