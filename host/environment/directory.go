package environment

import (
	"context"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"

	"github.com/stephost/stephost/host/environment/requirements"
)

// Source is one root of the step's source code.
type Source struct {
	// Path is a directory, or one file. A relative path is taken from
	// DirectoryRequest.Dir.
	Path string
	// Target is where the root lies in the work directory: a relative path
	// with slashes that stays inside it. Empty means its top.
	Target string
	// Exclude holds patterns in the grammar of .gitignore, relative to Path.
	// They come after every ignore file, so "!pattern" brings a path back.
	Exclude []string
}

// DirectoryRequest says what the directory of one attempt shall hold.
type DirectoryRequest struct {
	// WorkDir is the attempt's own directory, made here with mode 0700. Its
	// parent is made when missing. One that was prepared before (same path) is
	// kept as it is, since its step may have begun.
	WorkDir string
	// CacheDir holds source blobs and virtual environments. It may be shared
	// by any number of processes.
	CacheDir string
	// Dir is what relative paths in Sources, Requirements, RequirementsFile
	// and Python are taken from; empty means the current directory.
	Dir string
	// Sources may be empty: then the work directory is empty too.
	Sources []Source
	// Requirements holds lines as they would stand in requirements.txt.
	Requirements []string
	// RequirementsFile is a requirements.txt or a pyproject.toml.
	RequirementsFile string
	// Python is a version ("3.11"), a path, or empty for the first one on PATH.
	// With Python set there is a virtual environment even without requirements.
	Python string
	// AllowLarge lifts source.SizeLimit.
	AllowLarge bool
	// NeverCopy holds absolute paths that are left out of every source, such as
	// stephost's own home. WorkDir and CacheDir are always left out.
	NeverCopy []string
	// Environ is the environment of the tools that install requirements; nil
	// means this process's own. UV_* and PIP_* variables in it are honoured.
	Environ []string
	// Progress gets one short line per stage, from one goroutine at a time. It
	// may be nil.
	Progress func(line string)
	// Logger gets the tools' output at debug level, without credentials. It may
	// be nil.
	Logger hclog.Logger
}

// Directory is a prepared work directory.
type Directory struct {
	// Path is the work directory: absolute, and the step's first current
	// directory.
	Path string
	// Venv is the virtual environment, empty when none was asked for. Its
	// executables lie in BinDir(Venv).
	Venv string
	// Python is the interpreter in Venv, empty without one.
	Python string
	// SourceDigest is "sha256:<hex>" of the source tree, empty without source.
	SourceDigest string
	// RequirementsDigest is "sha256:<hex>" of everything that decides the
	// content of Venv, empty without one. It depends on no secret.
	RequirementsDigest string
	// SourceBytes and SourceFiles count what was copied.
	SourceBytes int64
	SourceFiles int
	// Warnings are for the person: full sentences, without credentials.
	Warnings []string
}

// PrepareDirectory makes the work directory and, where asked for, the virtual
// environment. It may take minutes the first time and milliseconds the next.
// Calls from many processes and goroutines are safe; those that need the same
// virtual environment build it once. It ends soon after ctx does, and no tool
// that it started lives longer. Errors are *problem.Error.
func PrepareDirectory(ctx context.Context, r DirectoryRequest) (*Directory, error) {
	work, err := filepath.Abs(r.WorkDir)
	if err != nil {
		return nil, cannotMake(r.WorkDir, err)
	}
	d := &Directory{Path: work}
	if err := d.prepareVenv(ctx, &r); err != nil {
		return nil, err
	}
	if len(r.Sources) == 0 {
		if err := os.MkdirAll(work, 0o700); err != nil {
			return nil, cannotMake(work, err)
		}
		return d, nil
	}
	if err := d.prepareSource(ctx, &r); err != nil {
		return nil, err
	}
	return d, nil
}

// BinDir is where the executables of a virtual environment lie.
func BinDir(venv string) string { return requirements.BinDir(venv) }
