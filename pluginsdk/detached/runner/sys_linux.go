package runner

import "syscall"

// intoGroup makes the process start inside the control group, so that it has
// no instant without the limit.
func intoGroup(attr *syscall.SysProcAttr, fd int) {
	attr.UseCgroupFD, attr.CgroupFD = true, fd
}
