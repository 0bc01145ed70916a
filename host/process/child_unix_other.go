//go:build unix && !linux

package process

import "syscall"

// platform gives the attributes of the fork and the function that waits for the
// end. Without a portable way to see the end before reaping, the rest of the
// group is killed right after it: as long as it has a member its number is taken,
// and without one the number is not given out again at once.
func (c *child) platform(bool) (*syscall.SysProcAttr, func() Exit) {
	return &syscall.SysProcAttr{Setpgid: true}, func() Exit {
		st, _ := c.proc.Wait()
		c.endGroup()
		return exitOf(st)
	}
}
