package process

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// platform gives the attributes of the fork and the function that waits for the
// end.
func (c *child) platform(leash bool) (*syscall.SysProcAttr, func() Exit) {
	pidfd := -1
	attr := &syscall.SysProcAttr{Setpgid: true, PidFD: &pidfd}
	if leash {
		attr.Pdeathsig = syscall.SIGTERM
	}
	return attr, func() Exit {
		// See the end without reaping: as long as the leader is a zombie its
		// number, and so the group's, cannot be given to another process, and
		// what is left of the group can be killed without hitting a stranger.
		awaitZombie(c.pid, pidfd)
		c.endGroup()
		st, _ := c.proc.Wait()
		return exitOf(st)
	}
}

// awaitZombie returns when the process has ended. With a pidfd that is a matter
// of the runtime's poller; else it takes a thread.
func awaitZombie(pid, pidfd int) {
	if pidfd >= 0 {
		_ = unix.SetNonblock(pidfd, true)
		f := os.NewFile(uintptr(pidfd), "pidfd")
		defer f.Close()
		if raw, err := f.SyscallConn(); err == nil {
			ended := false
			err := raw.Read(func(fd uintptr) bool {
				ended = isZombie(unix.P_PIDFD, int(fd))
				return ended
			})
			if err == nil && ended {
				return
			}
		}
	}
	for {
		var info unix.Siginfo
		if err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil); err != unix.EINTR {
			return
		}
	}
}

// isZombie asks without waiting and without reaping.
func isZombie(idType, id int) bool {
	var info unix.Siginfo
	err := unix.Waitid(idType, id, &info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
	return err == nil && info.Signo != 0
}
