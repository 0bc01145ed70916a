package registry

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
)

// stagingPrefix begins the names of what is not finished; readers skip it.
const stagingPrefix = ".staging-"

// writeFile replaces path by data or leaves it as it was. A crash before the
// rename leaves a staging file beside it, which sweep removes. (renameio does
// the same but not on Windows, and leaves the directory unsynced.)
func writeFile(path string, data []byte, perm os.FileMode) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, stagingPrefix+"*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(perm), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// stagingDir makes a private directory in parent that no reader looks at.
func stagingDir(parent string) (string, error) {
	dir := filepath.Join(parent, stagingPrefix+rand.Text())
	return dir, os.Mkdir(dir, 0o700)
}

// removeAll removes a tree whose directories may be read-only (0500).
func removeAll(path string) error {
	err := os.RemoveAll(path)
	if err == nil {
		return nil
	}
	_ = filepath.WalkDir(path, func(p string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(p, 0o700)
		}
		return nil
	})
	return os.RemoveAll(path)
}
