package home

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stephost/stephost/host/problem"
)

// EnvVar names the environment variable that moves the home.
const EnvVar = "STEPHOST_HOME"

// Home is the directory in which stephost keeps everything: registered
// flavors and operators, runs with their logs, and caches. The zero value is
// not usable; it comes from Find or At. A Home is a value and safe to share.
type Home struct{ root string }

// At is the home at dir. Nothing is opened or created.
func At(dir string) Home { return Home{root: dir} }

// Find is the home at STEPHOST_HOME, else "stephost" in XDG_DATA_HOME, else in
// ~/.local/share (the XDG base directory specification's default; used on
// every platform so that the documentation is one). Nothing is opened or
// created. It fails when none of them is set, and on a path that is no text: the home's
// path is sent to plugins, and stands in lines that programs read.
func Find() (Home, error) {
	h, err := find()
	if err != nil {
		return Home{}, err
	}
	if !utf8.ValidString(h.root) || strings.ContainsFunc(h.root, unicode.IsControl) {
		return Home{}, &problem.Error{Summary: fmt.Sprintf("the home's path %q has bytes that are no UTF-8, or control characters", h.root),
			Next: "set STEPHOST_HOME to a directory without them"}
	}
	return h, nil
}

func find() (Home, error) {
	if dir := os.Getenv(EnvVar); dir != "" {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return Home{}, &problem.Error{Summary: "STEPHOST_HOME is no usable path", Err: err,
				Next: "set STEPHOST_HOME to an absolute path"}
		}
		return Home{root: abs}, nil
	}
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return Home{root: filepath.Join(dir, "stephost")}, nil
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return Home{}, &problem.Error{Summary: "no home directory", Err: err,
			Next: "set STEPHOST_HOME to a directory that you may write to"}
	}
	return Home{root: filepath.Join(user, ".local", "share", "stephost")}, nil
}

// Root is the directory itself.
func (h Home) Root() string { return h.root }

// Flavors holds one record per registered flavor version.
func (h Home) Flavors() string { return filepath.Join(h.root, "flavors") }

// Artifacts is the content-addressed store of implementations.
func (h Home) Artifacts() string { return filepath.Join(h.root, "artifacts") }

// Operators holds one HCL file per registered operator.
func (h Home) Operators() string { return filepath.Join(h.root, "operators") }

// Plugins is the drop-in directory: what lies there is available.
func (h Home) Plugins() string { return filepath.Join(h.root, "plugins") }

// Runs holds the database of runs and, per run, its log.
func (h Home) Runs() string { return filepath.Join(h.root, "runs") }

// Owners holds the lock files of the processes that own runs.
func (h Home) Owners() string { return filepath.Join(h.root, "owners") }

// Cache holds what can be made again: virtual environments, source snapshots,
// scan results.
func (h Home) Cache() string { return filepath.Join(h.root, "cache") }

// Work holds one directory per run: work directories and staging.
func (h Home) Work() string { return filepath.Join(h.root, "work") }

// Sockets is where plugin sockets are made. Socket paths are limited to 104
// bytes on some systems, so it lies in the home only when that is short.
func (h Home) Sockets() string {
	// Below it lie "plugin-dir<number>/plugin<number>" of go-plugin.
	const longest = 104 - len("/plugin-dir1234567890/plugin1234567890")
	if dir := filepath.Join(h.root, "sockets"); len(dir) <= longest {
		return dir
	}
	return ""
}

// Make creates dir, which must lie in the home, with mode 0700. The error says
// what to do about a home that cannot be written.
func (h Home) Make(dir string) error {
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		return nil
	}
	e := &problem.Error{Summary: "cannot write to stephost's home " + h.root, Err: err,
		Next: Next(err)}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return e
	}
	e.Detail = "The directory " + dir + " could not be created."
	return e
}
