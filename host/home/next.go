package home

import (
	"errors"
	"io/fs"
	"syscall"
)

// Next is what to do about a home that cannot be written, for problem.Error.
func Next(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "no space is left on its disk: make room, or set STEPHOST_HOME to a directory on another one"
	case errors.Is(err, syscall.ENOTDIR):
		return "it, or what it lies in, is a file: set STEPHOST_HOME to a directory"
	case errors.Is(err, syscall.ELOOP), errors.Is(err, fs.ErrExist):
		return "its symbolic links lead to no directory: mend them, or set STEPHOST_HOME to a directory"
	case errors.Is(err, syscall.ENAMETOOLONG):
		return "its name is too long: set STEPHOST_HOME to a shorter one"
	default:
		return "set STEPHOST_HOME to a directory that you may write to"
	}
}
