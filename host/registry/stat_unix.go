//go:build unix

package registry

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/stephost/stephost/host/problem"
)

// statOf is the tuple of an open or named file.
func statOf(info fs.FileInfo) StatTuple {
	t := StatTuple{Size: info.Size(), MTime: info.ModTime().UnixNano(), Mode: uint32(info.Mode())}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		t.Dev, t.Inode = uint64(sys.Dev), uint64(sys.Ino) //nolint:unconvert // their types differ by platform
		t.UID, t.GID = sys.Uid, sys.Gid
		t.CTime = changeTime(sys)
	}
	return t
}

// othersMayWrite says whether group or world can change the file.
func othersMayWrite(info fs.FileInfo) bool { return info.Mode().Perm()&0o022 != 0 }

// executableBit says whether anybody may execute the file.
func executableBit(info fs.FileInfo) bool { return info.Mode().Perm()&0o111 != 0 }

// openNoWait opens for reading and never hangs: a FIFO that took the file's
// place after it was looked at would block an ordinary open forever.
func openNoWait(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// whileNoFork keeps this process from forking while f runs: a child forked
// between open and close inherits the write descriptor, and executing the file
// then fails with "text file busy". f must not start a process.
func whileNoFork(f func() error) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return f()
}

// syncFile makes a closed file's content durable. It is done on a descriptor
// for reading so that forks wait for the copy alone, not for the disk.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	err = f.Sync()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// syncDir makes renames in dir durable.
func syncDir(dir string) error { return syncFile(dir) }

// checkPermissions refuses what somebody else could change between now and the
// moment it is copied, or, with --dev, at any time.
func checkPermissions(path string, info fs.FileInfo) error {
	if !othersMayWrite(info) {
		return nil
	}
	return &problem.Error{
		Summary: path + " can be changed by others (mode " + info.Mode().String() + ")",
		Detail:  "A flavor runs with your credentials, so a file that its group or everybody may write is not registered.",
		Next:    "run: chmod go-w " + shellQuote(path),
	}
}

// checkDirectory refuses a directory in which everybody may put another file in the
// place of a flavor: that is as good as writing it. (A sticky one, such as /tmp, lets
// only owners. A group's is accepted, as umask 002 makes them; who owns what is no
// question at all: a container's root often registers what a person's uid owns. Beside
// the stephost binary, whoever may replace a flavor may replace stephost itself.)
func (r *Registry) checkDirectory(dir string) error {
	if shipped, err := filepath.EvalSymlinks(r.options.Shipped); err == nil && shipped == dir {
		return nil
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm()&0o002 == 0 || info.Mode()&fs.ModeSticky != 0 {
		return nil
	}
	return &problem.Error{
		Summary: "everybody may replace the files in " + dir + " (mode " + info.Mode().String() + ")",
		Detail:  "A flavor runs with your credentials, so it is not registered from where others may put another one.",
		Next:    "run: chmod o-w " + shellQuote(dir) + "; or copy the flavor to a directory of yours and register it there",
	}
}

// installedAlike tells whether a shipped flavor that its group may write is no
// weaker than the stephost binary: under umask 002 (the default where each user
// has a group) an installer leaves both so, and whoever may change stephost
// itself gains nothing by changing a flavor of it.
func (r *Registry) installedAlike(path string, info fs.FileInfo) bool {
	dir, err := filepath.EvalSymlinks(r.options.Shipped)
	if err != nil || filepath.Dir(path) != dir || info.Mode().Perm()&0o002 != 0 {
		return false
	}
	flavor, host := statOf(info), r.hostStat()
	return host.Mode&0o020 != 0 && host.UID == flavor.UID && host.GID == flavor.GID
}
