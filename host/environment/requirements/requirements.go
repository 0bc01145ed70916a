package requirements

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/stephost/stephost/host/environment/source"
)

// Request says what a step needs. With everything empty there is nothing to
// resolve: see Empty.
type Request struct {
	// Dir is what relative paths in List, File and Python are taken from; empty
	// means the current directory.
	Dir string
	// List holds lines in the grammar of requirements.txt.
	List []string
	// File is a requirements.txt, pyproject.toml, uv.lock or pylock.toml.
	File string
	// Python is a version ("3.11", "3.11.7"), a path, or empty for the first
	// Python 3 on PATH.
	Python string
	// Environ is the environment of interpreter and installer; nil means this
	// process's own.
	Environ []string
	// Store remembers the hashes of project files; it may be nil. It is only read.
	Store *source.Store
	// NeverCopy holds absolute paths that are left out of projects.
	NeverCopy []string
}

// Empty says that no virtual environment is asked for.
func (r *Request) Empty() bool { return len(r.List) == 0 && r.File == "" && r.Python == "" }

// Set is a resolved request. It is not safe for concurrent use.
type Set struct {
	// Interpreter makes the virtual environment.
	Interpreter *Interpreter
	// Tool installs: "uv" or "pip".
	Tool string
	// Lines are the normalised requirements, sorted, without credentials.
	Lines []string
	// Digest is "sha256:<hex>" of everything that decides the outcome.
	Digest string

	installer   installer
	items       []item // what is installed, as written
	constraints []item
	projects    []project
	neverCopy   []string
	environ     environ
}

// Resolve reads the files of a request and finds its interpreter. Nothing is
// created. Errors are *problem.Error that wrap an *Error.
func Resolve(ctx context.Context, r Request) (*Set, error) {
	list := r.Environ
	if list == nil {
		list = os.Environ()
	}
	env := newEnviron(list)
	dir, err := filepath.Abs(r.Dir)
	if err != nil {
		return nil, err
	}
	py, err := findPython(ctx, env, dir, r.Python)
	if err != nil {
		return nil, err
	}
	p := &parser{ctx: ctx, environ: env, neverCopy: r.NeverCopy, store: r.Store}
	if err := p.read(dir, r.List, r.File); err != nil {
		return nil, err
	}
	s := &Set{Interpreter: py, items: p.items, constraints: p.constraints, projects: p.projects,
		neverCopy: r.NeverCopy, environ: env}
	s.installer = chooseInstaller(env)
	s.Tool = s.installer.name
	s.Lines = keys(p.items)
	s.Digest = s.digest()
	return s, nil
}

// keys are the sorted, deduplicated normal forms.
func keys(items []item) []string {
	var list []string
	for _, it := range items {
		list = append(list, it.key)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func (s *Set) digest() string {
	h := sha256.New()
	io.WriteString(h, "stephost/requirements/1\n")
	section := func(name string, lines []string) {
		fmt.Fprintf(h, "%s %d\n", name, len(lines))
		for _, l := range lines {
			fmt.Fprintf(h, "%d %s\n", len(l), l)
		}
	}
	section("python", s.Interpreter.identity())
	section("install", keys(s.items))
	section("constrain", keys(s.constraints))
	section("index", s.environ.indexSettings())
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// absolute is name as seen from dir.
func absolute(dir, name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(dir, name)
}
