package fetch

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/stephost/stephost/internal/disk"
)

const (
	// atOnce files are read at the same time: an object store has its answer ready
	// after tens of milliseconds, and a run may leave a thousand small files.
	atOnce = 4
	// patience is how long a source may bring no byte of a file before it is given
	// up: longer than a restart of a plugin or a pause of a network.
	patience = 5 * time.Minute
)

// Source reads outputs that this machine has no access to. Its errors are final
// for a file, but for *BrokenError, and for all of them with *StopError. Safe for concurrent use.
type Source interface {
	// List lists the files of a location.
	List(ctx context.Context, location string) ([]File, error)
	// Open reads one of them from an offset, if it still has the version. What is
	// read ends with io.EOF when every byte was sent, and only then.
	Open(ctx context.Context, location, name string, offset int64, version string) (File, io.ReadCloser, error)
}

// File is one file of an output.
type File struct {
	// Name is relative to the location; "" where the location is the file.
	Name string
	// Bytes is -1 where it is not known.
	Bytes    int64
	Version  string
	Modified time.Time
	// Offset is where the bytes of an opened file begin.
	Offset int64
}

// BrokenError is a read that may go on later.
type BrokenError struct {
	Err error
	// After is when to try again; 0 = this package's own pace.
	After time.Duration
}

func (e *BrokenError) Error() string { return e.Err.Error() }

// Unwrap is the cause.
func (e *BrokenError) Unwrap() error { return e.Err }

// StopError is one that every other file would meet as well: it ends the Fetch.
type StopError struct{ Err error }

func (e *StopError) Error() string { return e.Err.Error() }

// Unwrap is the cause.
func (e *StopError) Unwrap() error { return e.Err }

// Output is what a run left, as its record has it.
type Output struct {
	Name     string `json:"name"`
	Location string `json:"location"`
	// Bytes is -1 where it is not known.
	Bytes int64 `json:"bytes"`
}

// Options of Fetch.
type Options struct {
	// Dir is made if it is missing.
	Dir string
	// Run is part of the names of unfinished files.
	Run     string
	Outputs []Output
	// Source reads what is not on this machine; nil = nobody can.
	Source Source
	// Overwrite replaces files that are there and are others.
	Overwrite bool
	// Done is told of each file, Progress of every step, Trouble of what is tried
	// again. They are called one at a time and must not block for long; nil = nobody
	// wants to know.
	Done     func(Fetched)
	Progress func(Progress)
	Trouble  func(path string, err error)
	// Patience replaces patience, for tests.
	Patience time.Duration
}

// States of a file.
const (
	Copied = "copied"  // from this machine
	Read   = "fetched" // by the source
	Kept   = "kept"    // it was there already
)

// Fetched is a file that is there now.
type Fetched struct {
	Output   string `json:"output"`
	Location string `json:"location"`
	// Path is the file on this machine.
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
	// State is Copied, Read or Kept.
	State string `json:"state"`
}

// Progress of a Fetch.
type Progress struct {
	Done, Files int
	// Total is -1 while a size is unknown.
	Bytes, Total int64
}

// Result of Fetch.
type Result struct {
	Files []Fetched
	// Elsewhere are outputs that nobody here can read.
	Elsewhere []Output
	// Failed are files and outputs that could not be had.
	Failed []error
}

// fetch is one call of Fetch.
type fetch struct {
	o    Options
	root *os.Root

	mu       sync.Mutex // the fields below, and the callbacks
	result   Result
	progress Progress
}

// Fetch brings the outputs into the directory. The error is one that stopped
// everything: the directory, a full disk, the end of ctx.
func Fetch(ctx context.Context, o Options) (*Result, error) {
	if o.Patience == 0 {
		o.Patience = patience
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return &Result{}, err
	}
	root, err := os.OpenRoot(o.Dir)
	if err != nil {
		return &Result{}, err
	}
	defer func() { _ = root.Close() }()
	f := &fetch{o: o, root: root}
	items, err := f.plan(ctx)
	if err == nil {
		err = f.all(ctx, items)
	}
	if err == nil && len(f.result.Failed) == 0 {
		f.sweep()
	}
	return &f.result, err
}

// all brings the items, a few at a time.
func (f *fetch) all(ctx context.Context, items []item) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	slots := make(chan struct{}, atOnce)
	var group sync.WaitGroup
	for _, it := range items {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		group.Go(func() {
			defer func() { <-slots }()
			err := f.one(ctx, it)
			var end *StopError
			switch {
			case errors.As(err, &end), disk.Full(err):
				stop(err)
			case err != nil && ctx.Err() == nil:
				f.failed(&FileError{Path: it.path, Location: it.location, Err: err})
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}

// FileError is a file, or a whole output, that could not be had.
type FileError struct {
	// Path is where it should be, relative to the directory.
	Path, Location string
	Err            error
}

func (e *FileError) Error() string { return e.Path + ": " + e.Err.Error() }

// Unwrap is the cause.
func (e *FileError) Unwrap() error { return e.Err }

func (f *fetch) failed(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.result.Failed = append(f.result.Failed, err)
}

// done notes a file that is there.
func (f *fetch) done(it item, bytes int64, state string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	x := Fetched{Output: it.output, Location: it.location, Path: filepath.Join(f.o.Dir, filepath.FromSlash(it.path)), Bytes: bytes, State: state}
	f.result.Files = append(f.result.Files, x)
	f.progress.Done++
	if state == Kept {
		f.progress.Bytes += bytes
	}
	if f.o.Done != nil {
		f.o.Done(x)
	}
	f.tell()
}

// moved counts bytes that are there; less than none when a file begins anew.
func (f *fetch) moved(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.progress.Bytes += n
	f.tell()
}

// tell is called with mu held.
func (f *fetch) tell() {
	if f.o.Progress != nil {
		f.o.Progress(f.progress)
	}
}

func (f *fetch) trouble(it item, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.o.Trouble != nil {
		f.o.Trouble(it.path, err)
	}
}
