package requirements

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/stephost/stephost/host/environment/internal/lock"
	"github.com/stephost/stephost/host/environment/internal/sweep"
)

// SweepVenvs removes virtual environments that no step was given since a time, and
// what killed builders have left, and returns the bytes. One that is being built
// stays.
func SweepVenvs(cacheDir string, o sweep.Options) int64 {
	return sweepLocked(cacheDir, marker, o)
}

// SweepPackages does the same with the packages for base images.
func SweepPackages(cacheDir string, o sweep.Options) (bytes int64) {
	dir := filepath.Join(cacheDir, "packages")
	bytes = sweepLocked(filepath.Join(dir, "requests"), "", o)
	trees, _ := os.ReadDir(filepath.Join(dir, "trees"))
	for _, e := range trees {
		bytes += o.Dir(filepath.Join(dir, "trees", e.Name()), "")
	}
	return bytes
}

// sweepLocked removes directories whose lock, beside them, nobody holds.
func sweepLocked(dir, stamp string, o sweep.Options) (bytes int64) {
	list, _ := os.ReadDir(dir)
	for _, e := range list {
		if !e.IsDir() {
			continue // a lock, or a record: both stay
		}
		key, _, _ := strings.Cut(e.Name(), ".")
		l := lock.Try(filepath.Join(dir, key+".lock"))
		if l == nil {
			continue
		}
		bytes += o.Dir(filepath.Join(dir, e.Name()), stamp)
		l.Release()
	}
	return bytes
}
