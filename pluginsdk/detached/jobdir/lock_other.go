//go:build !unix

package jobdir

import (
	"errors"
	"os"
)

// ErrBusy: another process holds the lock.
var ErrBusy = errors.New("locked by another process")

// TryLock is not supported here.
func TryLock(string) (*os.File, error) { return nil, errors.ErrUnsupported }

// Locked is not supported here.
func Locked(string) (bool, error) { return false, errors.ErrUnsupported }
