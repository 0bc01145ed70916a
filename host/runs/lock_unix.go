//go:build unix

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

// removeLocked removes a lock file while its lock is held, so that nobody sees
// it free.
func removeLocked(lock *flock.Flock, path string) error {
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, lock.Close())
}
