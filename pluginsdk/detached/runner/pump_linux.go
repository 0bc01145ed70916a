package runner

import "golang.org/x/sys/unix"

// spliceMost is more than a pipe holds: one call takes all of it.
const spliceMost = 1 << 20

// splice moves bytes from a pipe into a file within the kernel. A SIGKILL in
// between takes effect after both sides were updated: no byte is lost.
func splice(from, to int) (int64, error) {
	return unix.Splice(from, nil, to, nil, spliceMost, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
}

// waiting tells whether the pipe holds bytes.
func waiting(fd int) bool {
	n, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
	return err == nil && n > 0
}

// pipeSize is what a user may have by default (/proc/sys/fs/pipe-max-size): a
// step that prints fast need not wait for the runner's next look.
const pipeSize = 1 << 20

// enlarge makes the pipe hold more, if it may.
func enlarge(fd int) { _, _ = unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, pipeSize) }
