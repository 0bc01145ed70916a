package registry

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
)

// stagingPrefix begins the names of what is not finished; readers skip it.
const stagingPrefix = ".staging-"

// writeFile replaces path by data or leaves it as it was; after a power failure
// it is one of the two as well. A crash before the rename leaves a staging file
// beside it, which sweep removes. (renameio does the same but not on Windows.)
func writeFile(path string, data []byte, perm os.FileMode) error {
	return replaceFile(path, data, perm, (*os.File).Sync)
}

// writeCache is writeFile for what can be made again: a power failure may leave
// it empty or torn, which its readers notice.
func writeCache(path string, data []byte) error {
	return replaceFile(path, data, 0o600, func(*os.File) error { return nil })
}

func replaceFile(path string, data []byte, perm os.FileMode, sync func(*os.File) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), stagingPrefix+"*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(perm)
	}
	if err == nil {
		err = sync(f)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// stagingDir makes a private directory in parent that no reader looks at.
func stagingDir(parent string) (string, error) {
	dir := stagingName(parent)
	return dir, os.Mkdir(dir, 0o700)
}

func stagingName(parent string) string { return filepath.Join(parent, stagingPrefix+rand.Text()) }

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
