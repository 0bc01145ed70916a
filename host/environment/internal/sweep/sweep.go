package sweep

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// going is behind the name of a directory that is being removed.
const going = ".going"

// Options say what goes.
type Options struct {
	// Before is when it was last used.
	Before time.Time
	// DryRun only counts.
	DryRun bool
}

// Files removes the files below a directory, at any depth, that nobody has used, and
// returns their bytes. Directories stay: somebody may be about to write there. What
// cannot be removed stays and counts nothing.
func (o Options) Files(dir string) (bytes int64) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil //nolint:nilerr // gone, or not ours to see
		}
		if fi, err := d.Info(); err == nil && fi.ModTime().Before(o.Before) && (o.DryRun || os.Remove(path) == nil) {
			bytes += fi.Size()
		}
		return nil
	})
	return bytes
}

// Dir removes a directory that nobody has used and returns its bytes. stamp is the
// file, by its path below dir, whose time is that of the last use; where it is not
// there, the directory's own counts.
func (o Options) Dir(dir, stamp string) int64 {
	if strings.HasSuffix(dir, going) {
		return o.remove(dir) // a sweep was killed
	}
	if !o.unused(dir, stamp) {
		return 0
	}
	if o.DryRun {
		return size(dir)
	}
	// Who found it complete a moment ago has set its time by now, and looks again.
	gone := dir + going
	if os.Rename(dir, gone) != nil {
		return 0
	}
	if !o.unused(gone, stamp) && os.Rename(gone, dir) == nil {
		return 0
	}
	return o.remove(gone)
}

func (o Options) unused(dir, stamp string) bool {
	fi, err := os.Lstat(filepath.Join(dir, stamp))
	if err != nil {
		fi, err = os.Lstat(dir)
	}
	return err == nil && fi.ModTime().Before(o.Before)
}

func (o Options) remove(dir string) int64 {
	n := size(dir)
	if !o.DryRun && os.RemoveAll(dir) != nil {
		n -= size(dir)
	}
	return n
}

func size(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // what cannot be read counts nothing
		}
		if fi, err := d.Info(); err == nil && fi.Mode().IsRegular() {
			n += fi.Size()
		}
		return nil
	})
	return n
}
