package requirements

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/hashicorp/go-hclog"

	"github.com/stephost/stephost/host/environment/internal/lock"
	"github.com/stephost/stephost/host/environment/source"
	"github.com/stephost/stephost/host/problem"
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
func ResolveTarget(ctx context.Context, r TargetRequest) (*Target, error) {
	t, err := newTargetBuild(ctx, r)
	if err != nil {
		return nil, err
	}
	out, err := t.resolve(ctx)
	if err != nil {
		return nil, err
	}
	for _, file := range t.telling {
		out.Warnings = append(out.Warnings, fmt.Sprintf("%s holds credentials in an address, and is in the image if it is part of the source. "+
			"Leave it out with exclude, or give the credentials in netrc, pip.conf, PIP_INDEX_URL or UV_DEFAULT_INDEX.", file))
	}
	if v := t.environ["PIP_NO_BINARY"]; v != "" && t.tool == "pip" {
		out.Warnings = append(out.Warnings, fmt.Sprintf("PIP_NO_BINARY=%s is not followed: pip takes wheels alone for another platform, and what has none is built.", redact(v)))
	}
	return out, nil
}

// KnownTarget is what an earlier ResolveTarget with the same request found. No index is
// asked, and nothing is made.
func KnownTarget(ctx context.Context, r TargetRequest) (*Target, bool) {
	t, err := newTargetBuild(ctx, r)
	if err != nil {
		return nil, false
	}
	if len(t.items) == 0 {
		return &Target{}, true
	}
	return t.cached()
}

func (t *targetBuild) resolve(ctx context.Context) (*Target, error) {
	if len(t.items) == 0 {
		return &Target{}, nil
	}
	if out, ok := t.cached(); ok {
		return out, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, BuildLimit, errBuildLimit)
	defer cancel()
	for try := 1; ; try++ {
		out, err := t.locked(ctx)
		var changed *source.ChangedError
		var missing *source.MissingBlobError
		if err == nil || try == targetTries || !errors.As(err, &changed) && !errors.As(err, &missing) {
			return out, t.problem(ctx, err)
		}
		// A project changed while it was copied: what it is now decides.
		again, err := newTargetBuild(ctx, t.request)
		if err != nil {
			return nil, err
		}
		t = again
	}
}

// targetTries is how often a build begins again because a project changed.
const targetTries = 3

// targetBuild is one request on its way.
type targetBuild struct {
	workshop
	request TargetRequest
	fit     fit
	dir     string // of the cache
	digest  string // of the request
	uv      string // path of uv
	why     string // why not uv although it is there
	python  *Interpreter
	// telling are files that hold credentials.
	telling []string
	// yields are the base's packages that may be hidden.
	yields map[string]bool
	// real are the base's packages that the index describes, for the sake of an
	// extra; unread those of which it does not have that version.
	real, unread map[string]bool
	// files are what the installer reads.
	requirementsFile, constraintsFile string
}

// newTargetBuild reads the request; nothing is created, no tool but uv (for a
// uv.lock) is run.
func newTargetBuild(ctx context.Context, r TargetRequest) (*targetBuild, error) {
	list := r.Environ
	if list == nil {
		list = os.Environ()
	}
	dir, err := filepath.Abs(r.Dir)
	if err != nil {
		return nil, err
	}
	cache, err := filepath.Abs(r.CacheDir)
	if err != nil {
		return nil, err
	}
	r.Dir = dir
	if r.Progress == nil {
		r.Progress = func(string) {}
	}
	if r.Logger == nil {
		r.Logger = hclog.NewNullLogger()
	}
	installed := map[string]string{}
	for name, version := range r.Base.Installed {
		installed[Normal(name)] = version
	}
	r.Base.Installed = installed
	env := newEnviron(list)
	store := source.NewStore(filepath.Join(cache, "source"))
	never := append(slices.Clone(r.NeverCopy), cache)
	p := &parser{ctx: ctx, environ: env, neverCopy: never, store: store}
	if err := p.read(dir, r.Requirements, r.RequirementsFile); err != nil {
		return nil, err
	}
	in := chooseInstaller(env)
	t := &targetBuild{request: r, dir: filepath.Join(cache, "packages"), uv: in.path, why: in.why, telling: p.telling, yields: map[string]bool{}, real: map[string]bool{}, unread: map[string]bool{},
		workshop: workshop{tool: in.name, environ: env, items: p.items, constraints: p.constraints, projects: p.projects,
			neverCopy: never, store: store, progress: r.Progress, logger: r.Logger,
			redactor: newRedactor(env, secretLines(p.items, p.constraints)...)}}
	if len(t.items) == 0 {
		return t, nil
	}
	if t.fit, err = fitOf(r.Base); err != nil {
		return nil, err
	}
	t.digest = t.requestDigest()
	return t, nil
}

// locked builds under the lock of the request. Killed at any point, it leaves a
// private directory, which the next builder removes, or a whole tree without a
// record, which the next one meets by its content.
func (t *targetBuild) locked(ctx context.Context) (*Target, error) {
	name := filepath.Join(t.dir, "requests", t.digest)
	l, err := lock.Take(ctx, name+".lock", func() { t.progress("waiting: the same packages are being prepared") })
	if err != nil {
		return nil, &scratchError{err}
	}
	defer l.Release()
	if out, ok := t.cached(); ok { // made while we waited
		return out, nil
	}
	t.lock = l
	if err := os.MkdirAll(filepath.Join(t.dir, "trees"), 0o700); err != nil {
		return nil, &scratchError{err}
	}
	if err := t.open(name); err != nil {
		return nil, &scratchError{err}
	}
	defer os.RemoveAll(t.tmp)
	return t.build(ctx)
}

// problem turns what went wrong into words for the person.
func (t *targetBuild) problem(ctx context.Context, err error) error {
	var scratch *scratchError
	var known *problem.Error
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case ctx.Err() != nil:
		return ended(ctx)
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return &problem.Error{Summary: "no space left for the packages of the image", Phase: phase, Class: problem.System,
			Next: "free space, or move STEPHOST_HOME", Err: &Error{Kind: DiskFull, Err: err}}
	case errors.As(err, &scratch):
		return &problem.Error{Summary: "cannot keep the packages of the image", Phase: phase, Class: problem.System,
			Next: "see that STEPHOST_HOME can be written and its disk is not full", Err: &Error{Kind: Other, Err: err}}
	}
	return err
}
