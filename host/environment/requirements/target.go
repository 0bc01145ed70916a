package requirements

import (
	"context"
	"errors"

	"github.com/hashicorp/go-hclog"
)

// BaseFacts is what packages must fit: what was read from a base image.
type BaseFacts struct {
	// Platform is the OCI name: "linux/amd64", "linux/arm64/v8".
	Platform string
	// Python is the version of the base's interpreter, "3.11"; empty when there is
	// none.
	Python string
	// Interpreter is its absolute path in the image.
	Interpreter string
	// Libc is "glibc-2.36" or "musl-1.2".
	Libc string
	// Installed holds what the base has: normalised distribution name -> version.
	Installed map[string]string
	// SitePackages are the directories in the image where those lie.
	SitePackages []string
}

// TargetRequest says what a step needs on top of a base.
type TargetRequest struct {
	Base BaseFacts
	// Requirements holds lines in the grammar of requirements.txt.
	Requirements []string
	// RequirementsFile is a requirements.txt, pyproject.toml, uv.lock or
	// pylock.toml.
	RequirementsFile string
	// Dir is what relative paths are taken from; empty means the current
	// directory.
	Dir string
	// CacheDir holds what was built; any number of processes may share it.
	CacheDir string
	// Override lets packages replace those of the base.
	Override bool
	// Environ is the environment of the installer; nil means this process's own.
	Environ []string
	// NeverCopy holds absolute paths that are left out of projects.
	NeverCopy []string
	// Progress and Logger may be nil.
	Progress func(string)
	Logger   hclog.Logger
}

// Package is one distribution.
type Package struct {
	// Name is normalised (lower case, single dashes).
	Name    string `json:"name"`
	Version string `json:"version"`
	// Wheel is the stem of the file it came from ("six-1.16.0-py2.py3-none-any"),
	// empty for what the base has.
	Wheel string `json:"wheel,omitempty"`
}

// Target is what a base lacks: a tree of files for a layer.
type Target struct {
	// Key is "sha256:<hex>" of the tree's content. It depends on no secret and no
	// path, user or time of this machine.
	Key string
	// Tree is a directory named by Key, never changed once it is there: lib/ is
	// the content of site-packages, bin/ holds the scripts, whose first line names
	// the base's interpreter. It is empty when the base has everything.
	Tree string
	// Packages are in the tree, Satisfied were asked for and are in the base; both
	// sorted by name.
	Packages, Satisfied []Package
	// Warnings are for the person: full sentences, without credentials.
	Warnings []string
}

// ResolveTarget finds what the base lacks and makes it ready for a layer, or
// takes it from the cache. Errors are *problem.Error that wrap an *Error.
func ResolveTarget(context.Context, TargetRequest) (*Target, error) {
	return nil, errors.New("requirements for a base image: not there yet")
}
