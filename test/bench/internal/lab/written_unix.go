//go:build unix

package lab

import (
	"os"
	"syscall"
)

// blockSize is the unit of ru_oublock.
const blockSize = 512

// written is what a process, and the children that it waited for, sent to disks.
func written(s *os.ProcessState) int64 {
	if u, ok := s.SysUsage().(*syscall.Rusage); ok {
		return int64(u.Oublock) * blockSize
	}
	return 0
}
