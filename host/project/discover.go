package project

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stephost/stephost/host/problem"
)

const (
	// FileName is the project file; others in the directory end in FileSuffix.
	FileName   = "stephost.hcl"
	FileSuffix = ".stephost.hcl"
)

// Discover finds the project files for dir: stephost.hcl and *.stephost.hcl in
// dir or in the nearest parent that has any, up to the repository root (the
// directory with .git) or the file system's root. stephost.hcl comes first,
// the others by name. Files in dir itself are named relative to it, as Load
// with the same Dir takes them, others are absolute. None is no error.
func Discover(dir string) (files []string, err error) {
	if dir == "" {
		dir = "."
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, &problem.Error{Summary: "no working directory", Err: err}
	}
	for at, shown := abs, ""; ; {
		files, root, err := projectFiles(at, shown)
		switch {
		case err != nil && at == abs:
			return nil, &problem.Error{Summary: "cannot look for project files in " + dir, Err: err,
				Next: "give a directory that you may read with -C, or files with -f"}
		case len(files) > 0:
			return files, nil
		case root:
			return nil, nil
		}
		// A parent that cannot be read has nothing for this person.
		up := filepath.Dir(at)
		if up == at {
			return nil, nil
		}
		at, shown = up, up
	}
}

// projectFiles lists the project files of one directory, and tells whether it
// is a repository's root.
func projectFiles(dir, shown string) (files []string, root bool, err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	// Names alone: a directory of 100,000 data files must not be stat'ed.
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, false, err
	}
	for _, name := range names {
		switch {
		case name == ".git":
			root = true
		case name == FileName, strings.HasSuffix(name, FileSuffix) && !strings.HasPrefix(name, "."):
			info, err := os.Stat(filepath.Join(dir, name))
			if errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() {
				continue // a dangling link, a directory
			}
			files = append(files, filepath.Join(shown, name))
		}
	}
	slices.SortFunc(files, func(a, b string) int {
		if first := filepath.Base(a) == FileName; first != (filepath.Base(b) == FileName) {
			if first {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	return files, root, nil
}
