package registry

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/stephost/stephost/host/problem"
)

// Executable is what may be started, checked just now. Close it after the start.
type Executable struct {
	// Argv is the whole argument vector; Argv[0] is the program's path.
	Argv []string
	// Env are NAME=value pairs that the program needs besides its usual
	// environment (Python must not write compiled files into the store).
	Env []string
	// File is, on Linux and for native programs, the descriptor that was
	// checked: execute /proc/self/fd/N of it, so that nobody can put another
	// file in its place between check and start. nil otherwise: start Argv[0].
	File *os.File
	// SHA256 is the pin in hex; empty for a Dev flavor.
	SHA256 string
	// Hashed says that the bytes were read now, not only their stat tuple.
	Hashed bool
	// Warnings are sentences for the person who launches.
	Warnings []string

	held *os.File
}

// Close gives the descriptors back; after the program was started.
func (e *Executable) Close() error {
	var errs []error
	for _, f := range []*os.File{e.File, e.held} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	e.File, e.held = nil, nil
	return errors.Join(errs...)
}

// Executable checks the flavor's implementation against its pin and says how to
// start it. A shipped flavor is pinned here, at its first use. The error is a
// *PinError when the bytes are not the pinned ones; then nothing may be started.
func (r *Registry) Executable(ctx context.Context, f *Flavor) (*Executable, error) {
	if f.Err != nil {
		return nil, f.Err
	}
	if f.Status == Shipped && f.scan != nil {
		var err error
		if f, err = r.pinShipped(ctx, f); err != nil {
			return nil, err
		}
	}
	switch {
	case f.Artifact == nil:
		return nil, &problem.Error{Flavor: f.Ref(), Summary: "only its manifest is registered; the implementation is missing",
			Detail: "Operators and steps can be validated; launching needs the program.",
			Next:   "add it: stephost flavor register PATH-OF-THE-PROGRAM"}
	case f.Status == Available:
		return nil, &problem.Error{Flavor: f.Ref(), Summary: "it lies in the drop-in directory but is not registered",
			Next: "register it: stephost flavor register " + shellQuote(f.From)}
	case f.Artifact.Dev:
		return r.devExecutable(ctx, f)
	case f.Artifact.Kind == KindDirectory:
		return r.directoryExecutable(ctx, f)
	default:
		return r.fileExecutable(ctx, f)
	}
}

// fileExecutable opens the stored file once and checks the open descriptor.
func (r *Registry) fileExecutable(ctx context.Context, f *Flavor) (_ *Executable, err error) {
	a := f.Artifact
	file, err := openNoWait(a.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, pinError(f, a.Path, "it is missing", "", "", err)
	}
	if err != nil {
		return nil, &problem.Error{Flavor: f.Ref(), Summary: "cannot open its implementation", Err: err}
	}
	ex := &Executable{Argv: a.argv(), Env: a.Interpreter.environment(), SHA256: a.SHA256, held: file}
	defer func() {
		if err != nil {
			_ = ex.Close()
		}
	}()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, pinError(f, a.Path, "it is "+modeWords(info.Mode())+" now", "", "", nil)
	}
	if now := statOf(info); now != a.Stat || f.verifyAlways() {
		sum, _, err := hashFile(ctx, file)
		if err != nil {
			return nil, &problem.Error{Flavor: f.Ref(), Summary: "cannot read its implementation", Err: err}
		}
		if sum != a.SHA256 {
			return nil, pinError(f, a.Path, "its content changed", a.SHA256, sum, nil)
		}
		if err := checkPermissions(a.Path, info); err != nil {
			return nil, openToOthers(f, a.Path, err)
		}
		ex.Hashed = true
		if now != a.Stat {
			r.remember(ctx, f, func(rec *recordArtifact) { rec.Stat = now })
		}
	}
	if a.native() && executesDescriptors {
		ex.File, ex.held = file, nil
	}
	return ex, r.checkInterpreter(ctx, f, ex)
}

// directoryExecutable compares the stat of every file, or reads all of them.
func (r *Registry) directoryExecutable(ctx context.Context, f *Flavor) (*Executable, error) {
	a := f.Artifact
	t, err := walkTree(ctx, a.Path, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, pinError(f, a.Path, "it is missing", "", "", err)
	}
	if err != nil {
		return nil, err
	}
	ex := &Executable{Argv: a.argv(), Env: a.Interpreter.environment(), SHA256: a.SHA256}
	if now := t.stat(); now != a.TreeStat || f.verifyAlways() {
		if err := t.fill(ctx); err != nil {
			return nil, err
		}
		if sum := t.hash(); sum != a.SHA256 {
			return nil, pinError(f, a.Path, "its content changed", a.SHA256, sum, nil)
		}
		ex.Hashed = true
		if now != a.TreeStat {
			r.remember(ctx, f, func(rec *recordArtifact) { rec.TreeStat = now })
		}
	}
	return ex, r.checkInterpreter(ctx, f, ex)
}

// devExecutable starts what lies there now.
func (r *Registry) devExecutable(ctx context.Context, f *Flavor) (*Executable, error) {
	a := f.Artifact
	info, err := os.Stat(a.Path)
	if err != nil {
		return nil, &problem.Error{Flavor: f.Ref(), Summary: "its implementation is not where it was registered (--dev)", Err: err,
			Next: "build it again, or register it where it is now"}
	}
	if err := checkPermissions(a.Path, info); err != nil {
		return nil, err
	}
	if !info.IsDir() && a.Interpreter == nil {
		if err := inPlaceExecutable(a.Path, info); err != nil {
			return nil, err
		}
	}
	ex := &Executable{Argv: a.argv(), Warnings: []string{devWarning(f)}}
	return ex, r.checkInterpreter(ctx, f, ex)
}

// checkInterpreter accepts another interpreter at the same path while its
// version fits: the system updates it, and running jobs must stay reachable.
func (r *Registry) checkInterpreter(ctx context.Context, f *Flavor, ex *Executable) error {
	in := f.Artifact.Interpreter
	if in == nil {
		return nil
	}
	info, err := os.Stat(in.Path)
	if err != nil {
		_ = ex.Close()
		return pinError(f, in.Path, "the interpreter is missing", "", "", err)
	}
	if statOf(info) == in.Stat {
		return nil
	}
	now := &Interpreter{Name: in.Name, Constraint: in.Constraint, Path: in.Path}
	if err := now.look(ctx); err != nil {
		_ = ex.Close()
		return err
	}
	if !now.fits() {
		_ = ex.Close()
		return pinError(f, in.Path, "the interpreter is version "+orUnknown(now.Version)+" now, "+in.Constraint+" is needed", "", "", nil)
	}
	if now.SHA256 != in.SHA256 {
		ex.Warnings = append(ex.Warnings, "flavor "+f.Ref()+": the interpreter "+in.Path+" changed since it was registered")
	}
	r.remember(ctx, f, func(rec *recordArtifact) {
		i := recordInterpreter(*now)
		rec.Interpreter = &i
	})
	return nil
}

// rememberWait bounds the wait for the lock when only a stat tuple is to be
// refreshed: without it the next start hashes once more.
const rememberWait = 200 * time.Millisecond

// remember writes a fresh stat tuple into the record, best effort: a home that
// cannot be written is hashed at each start.
func (r *Registry) remember(ctx context.Context, f *Flavor, change func(*recordArtifact)) {
	ctx, cancel := context.WithTimeout(ctx, rememberWait)
	defer cancel()
	_ = r.locked(ctx, r.home.Flavors(), func() error {
		rec, err := r.readRecord(f.Name, f.Version)
		if err != nil || rec.Artifact == nil || rec.Artifact.SHA256 != f.Artifact.SHA256 || rec.Artifact.Dev != f.Artifact.Dev {
			return err
		}
		change(rec.Artifact)
		return r.writeRecord(rec)
	})
}

// pinShipped registers a shipped flavor at its first use. Later the pin holds:
// another file of the same version is accepted only when stephost itself
// changed too (an update); alone it is somebody's doing.
func (r *Registry) pinShipped(ctx context.Context, f *Flavor) (*Flavor, error) {
	host := r.hostStat()
	pin := &recordShipped{Source: f.scan.Stat, Host: host}
	if f.record == nil {
		return r.register(ctx, f.From, RegisterOptions{}, pin)
	}
	pinned := r.flavor(f.record)
	if f.record.Shipped.Host != host {
		return r.register(ctx, f.From, RegisterOptions{Replace: true}, pin)
	}
	c, err := r.inspect(ctx, f.From)
	if err != nil {
		return nil, err
	}
	if err := c.hash(ctx); err != nil {
		return nil, unreadable(f.From, err)
	}
	sum := c.artifact.SHA256
	if a := pinned.Artifact; a == nil || sum != a.SHA256 || c.manifest.Digest != pinned.ManifestDigest {
		want := ""
		if a != nil {
			want = a.SHA256
		}
		return nil, pinError(pinned, f.From, "it changed since its first use, and stephost did not", want, sum, nil)
	}
	return r.register(ctx, f.From, RegisterOptions{Replace: true}, pin)
}

// verifyAlways: its registration asked for a full hash at each start.
func (f *Flavor) verifyAlways() bool { return f.record != nil && f.record.VerifyAlways }
