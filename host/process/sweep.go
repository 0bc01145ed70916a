package process

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// sweepAge is how old a socket directory must be before anybody asks whether it
// is still used: far older than a start takes.
const sweepAge = 10 * time.Minute

// sweep removes socket directories whose host and plugin were both killed. Each
// of the two alone clears up after the other. A directory is in use as long as
// somebody listens in it.
func sweep(base string, now time.Time) {
	dirs, _ := filepath.Glob(filepath.Join(base, "plugin-dir*"))
	for _, dir := range dirs {
		if st, err := os.Lstat(dir); err == nil && st.IsDir() && now.Sub(st.ModTime()) > sweepAge && !listened(dir) {
			_ = os.RemoveAll(dir)
		}
	}
}

// listened tells whether a socket in dir has a listener, or may have one.
func listened(dir string) bool {
	files, err := os.ReadDir(dir)
	if err != nil {
		return true
	}
	for _, f := range files {
		conn, err := net.DialTimeout("unix", filepath.Join(dir, f.Name()), time.Second)
		if err == nil {
			conn.Close()
			return true
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return true
		}
	}
	return false
}
