package requirements

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/stephost/stephost/host/environment/internal/lock"
	"github.com/stephost/stephost/host/environment/source"
	"github.com/stephost/stephost/host/problem"
)

const (
	// BuildLimit bounds waiting for another builder and building: the largest
	// known sets (several GB of wheels, a package compiled from source) take
	// about half of it on a slow line.
	BuildLimit = time.Hour
	// marker is the file whose presence makes a virtual environment complete.
	marker = ".stephost-complete"
	// logTail is how much of pip's log is searched for the cause of a failure.
	logTail = 1 << 20
	// nameLength is how much of the digest names the directory: enough never to
	// meet twice, short because scripts carry the path in their first line, which
	// some systems cut.
	nameLength = 32
)

// errBuildLimit is the cause when BuildLimit has passed.
var errBuildLimit = fmt.Errorf("not done in %s", BuildLimit)

// BuildOptions of Ensure.
type BuildOptions struct {
	// CacheDir holds the virtual environments.
	CacheDir string
	// Store keeps the copies of projects.
	Store *source.Store
	// Progress and Logger may be nil.
	Progress func(string)
	Logger   hclog.Logger
}

// Venv is where the virtual environment of the set lies, or will lie.
func (s *Set) Venv(cacheDir string) string {
	_, hex, _ := strings.Cut(s.Digest, ":")
	return filepath.Join(cacheDir, hex[:nameLength])
}

// Python is the interpreter in a virtual environment.
func (s *Set) Python(cacheDir string) string { return pythonIn(s.Venv(cacheDir)) }

// record is the content of the marker: for people, and to tell a marker that
// was written half.
type record struct {
	Version int       `json:"version"`
	Digest  string    `json:"digest"`
	Python  string    `json:"python"`
	Tool    string    `json:"tool"`
	Lines   []string  `json:"requirements"`
	Built   time.Time `json:"built"`
}

// Complete says whether the virtual environment is there, whole.
func (s *Set) Complete(cacheDir string) bool {
	venv := s.Venv(cacheDir)
	data, err := os.ReadFile(filepath.Join(venv, marker))
	var r record
	return err == nil && json.Unmarshal(data, &r) == nil && r.Digest == s.Digest && exists(pythonIn(venv))
}

// Ensure builds the virtual environment of the set unless it is there, and
// returns its path. Errors are *problem.Error, or a *source.ChangedError when a
// project changed after Resolve: resolve again.
func (s *Set) Ensure(ctx context.Context, o BuildOptions) (string, error) {
	cache, err := filepath.Abs(o.CacheDir)
	if err != nil {
		return "", err
	}
	o.CacheDir = cache
	venv := s.Venv(cache)
	if s.Complete(cache) {
		s.used(venv)
		if s.Complete(cache) { // a sweep may just have taken it
			return venv, nil
		}
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, BuildLimit, errBuildLimit)
	defer cancel()
	l, err := lock.Take(ctx, venv+".lock", func() { o.Progress("waiting: the same virtual environment is being built") })
	if err != nil {
		return "", s.cacheError(ctx, "lock", err)
	}
	defer l.Release()
	if s.Complete(cache) { // built while we waited
		return venv, nil
	}
	b := &builder{set: s, options: o, venv: venv, workshop: workshop{tool: s.Tool, environ: s.environ,
		items: s.items, constraints: s.constraints, projects: s.projects, neverCopy: s.neverCopy, store: o.Store,
		progress: o.Progress, logger: o.Logger, lock: l, redactor: newRedactor(s.environ, secretLines(s.items, s.constraints)...)}}
	if err := b.build(ctx); err != nil {
		return "", err
	}
	return venv, nil
}

// used keeps the time of the last use, for whoever removes old ones.
func (s *Set) used(venv string) {
	now := time.Now()
	_ = os.Chtimes(filepath.Join(venv, marker), now, now)
}

// cacheError is about the cache directory itself, or the end of the context.
func (s *Set) cacheError(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	return &problem.Error{Summary: "cannot " + what + " the virtual environment", Phase: phase, Class: problem.System,
		Next: "see that STEPHOST_HOME can be written and its disk is not full", Err: err}
}

// filesError is about what the installer reads: the copies of projects have
// errors of their own.
func (s *Set) filesError(ctx context.Context, err error) error {
	var scratch *scratchError
	if errors.As(err, &scratch) && ctx.Err() == nil {
		return s.cacheError(ctx, "make", err)
	}
	return err
}

// ended tells a cancelled preparation from one that took too long.
func ended(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, errBuildLimit) || errors.Is(cause, context.DeadlineExceeded) {
		return &problem.Error{Summary: "preparing the requirements took too long", Phase: phase, Class: problem.Timeout,
			Next: "launch again: what was downloaded is in the installer's cache", Err: cause}
	}
	return &problem.Error{Summary: "preparing the requirements was cancelled", Phase: phase, Class: problem.Cancelled, Err: cause}
}

// builder builds one virtual environment, under its lock.
type builder struct {
	workshop
	set     *Set
	options BuildOptions
	venv    string
}

// build makes the virtual environment in its final place. Killed at any point
// before the marker, it leaves a directory without one, which the next builder
// removes; the lock it held is free only when its installer has ended too.
func (b *builder) build(ctx context.Context) (err error) {
	s := b.set
	if s.installer.name == "pip" && !s.Interpreter.Venv {
		return noVenv(s.Interpreter)
	}
	if err := os.RemoveAll(b.venv); err != nil {
		return s.cacheError(ctx, "replace", err)
	}
	if err := os.Mkdir(b.venv, 0o700); err != nil {
		return s.cacheError(ctx, "make", err)
	}
	if err := b.open(b.venv); err != nil {
		os.RemoveAll(b.venv)
		return s.cacheError(ctx, "make", err)
	}
	defer func() {
		os.RemoveAll(b.tmp)
		if err != nil {
			os.RemoveAll(b.venv)
		}
	}()
	requirements, constraints, err := b.files(ctx)
	if err != nil {
		return s.filesError(ctx, err)
	}
	bare := requirements == ""
	if s.installer.why != "" {
		b.progress("installing with pip, not uv: " + s.installer.why)
	}
	b.progress("making a virtual environment with Python " + s.Interpreter.Version)
	if err := b.run(ctx, s.installer.create(s.Interpreter, b.venv, bare)); err != nil {
		return err
	}
	if !bare {
		b.progress("resolving requirements with " + s.Tool)
		if err := b.run(ctx, s.installer.install(b.venv, requirements, constraints, b.log())); err != nil {
			return err
		}
	}
	if err := b.complete(); err != nil {
		return s.cacheError(ctx, "finish", err)
	}
	return nil
}

// complete writes the marker. Before it, everything is on disk: after a power
// loss a marker beside empty modules would be believed for ever.
func (b *builder) complete() error {
	s := b.set
	data, err := json.MarshalIndent(record{Version: 1, Digest: s.Digest, Python: s.Interpreter.String(),
		Tool: s.Tool, Lines: s.Lines, Built: time.Now().UTC()}, "", "  ")
	if err != nil {
		return err
	}
	if err := syncTree(b.venv); err != nil {
		return err
	}
	return writeSynced(filepath.Join(b.venv, marker), data)
}

// writeSynced writes a file that is whole or not there.
func writeSynced(name string, data []byte) error {
	f, err := os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(name+".new", name)
	}
	return err
}
