//go:build !linux

package requirements

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// syncTree makes what lies in dir durable, file by file. A file that may not be
// opened for writing cannot be synced here (Windows); it is passed over.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if errors.Is(err, fs.ErrPermission) {
			return nil
		}
		if err != nil {
			return err
		}
		defer f.Close()
		return f.Sync()
	})
}
