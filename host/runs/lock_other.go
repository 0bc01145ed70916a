//go:build !unix

package runs

import (
	"errors"
	"io/fs"
	"os"

	"github.com/gofrs/flock"
)

// lockFlag opens a lock file without making it: a lock must not bring back a
// file that was removed.
const lockFlag = os.O_RDWR

// removeLocked removes a lock file. Here an open file cannot be removed, so the
// lock goes first; names are used once, so nobody can lock it in between.
func removeLocked(lock *flock.Flock, path string) error {
	err := lock.Close()
	if rm := os.Remove(path); rm != nil && !errors.Is(rm, fs.ErrNotExist) {
		err = errors.Join(err, rm)
	}
	return err
}
