//go:build unix

package runner

import "syscall"

// apart gives the runner a session of its own: no terminal, no signal to the
// plugin's group and no hang-up reaches it.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// Supported tells whether steps can run on this system.
const Supported = true
