//go:build unix

package cloudfake

import (
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// CanChroot tells whether commands can run in an unpacked image.
func CanChroot() bool { return os.Geteuid() == 0 }

func ownGroup(cmd *exec.Cmd, root string) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Chroot: root}
	tie(cmd.SysProcAttr)
}

func termGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }

func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

func exitOf(s *os.ProcessState) Exit {
	e := Exit{Code: s.ExitCode(), At: time.Now()}
	if ws, ok := s.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		e.Signal = unix.SignalName(ws.Signal())
	}
	return e
}
