//go:build unix

package jobdir

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// ErrBusy: another process holds the lock.
var ErrBusy = errors.New("locked by another process")

// TryLock takes the exclusive lock at path, making the file when it is
// missing. The lock is held until the file is closed or its process ends,
// however it ends. ErrBusy when another process has it.
func TryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(f.Fd(), lockSet, &lock); err != nil {
		f.Close()
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
			return nil, ErrBusy
		}
		return nil, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	return f, nil
}

// Locked tells whether another process holds the lock at path. It asks
// without taking it, so that a question never makes a starting runner believe
// that it is the second one: that is why this is no flock(2).
func Locked(path string) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	lock := unix.Flock_t{Type: unix.F_RDLCK}
	if err := unix.FcntlFlock(f.Fd(), lockGet, &lock); err != nil {
		return false, &os.PathError{Op: "query lock", Path: path, Err: err}
	}
	return lock.Type != unix.F_UNLCK, nil
}
