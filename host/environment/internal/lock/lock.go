package lock

import (
	"context"
	"os"
	"path/filepath"
	"time"
)

// pollEvery is how often a taken lock is tried: waits last seconds to minutes,
// and a blocking system call could not be ended by a context.
const pollEvery = 50 * time.Millisecond

// Lock is a lock that is held. It is not safe for concurrent use.
type Lock struct{ file *os.File }

// Take waits for the lock on the file, which it creates (with its directory)
// when missing. waiting, when not nil, is called once before the first wait.
func Take(ctx context.Context, name string, waiting func()) (*Lock, error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for first := true; ; first = false {
		ok, err := try(f)
		if ok && err == nil {
			return &Lock{file: f}, nil
		}
		if err != nil {
			f.Close()
			return nil, &os.PathError{Op: "lock", Path: name, Err: err}
		}
		if first && waiting != nil {
			waiting()
		}
		timer := time.NewTimer(pollEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			f.Close()
			return nil, context.Cause(ctx)
		case <-timer.C:
		}
	}
}

// Try takes the lock if nobody holds it; else the result is nil.
func Try(name string) *Lock {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil
	}
	if ok, err := try(f); !ok || err != nil {
		f.Close()
		return nil
	}
	return &Lock{file: f}
}

// File is the open lock file, for a child that shall keep the lock.
func (l *Lock) File() *os.File { return l.file }

// Release gives the lock back, also for children that hold its file.
func (l *Lock) Release() {
	release(l.file)
	l.file.Close()
}
