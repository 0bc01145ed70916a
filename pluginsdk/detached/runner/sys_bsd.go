//go:build unix && !linux

package runner

import "syscall"

// intoGroup does nothing: there are no control groups here.
func intoGroup(*syscall.SysProcAttr, int) {}
