package group

import (
	"errors"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// waitsUnreaped: waitExited returns while the leader is still a zombie.
const waitsUnreaped = true

func setGroup(cmd *exec.Cmd) {
	// Pdeathsig: when this process is killed, the tool must not go on writing to
	// what the next one will build anew. It does not reach what the tool has
	// started: for the end of that the next one waits (Command.Hold).
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func waitExited(cmd *exec.Cmd) {
	for {
		err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}
