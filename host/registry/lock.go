package registry

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/problem"
)

const (
	// lockWait bounds the wait for other registrations: each holds the lock
	// for some renames and fsyncs, never while it copies.
	lockWait = 60 * time.Second
	// lockPoll is how often the lock is tried: well below what a person
	// notices, well above what a try costs.
	lockPoll = 5 * time.Millisecond
)

// locked runs f while no other writer of dir does, in this process or another.
// dir is created. The lock ends with its process, however that dies.
func (r *Registry) locked(ctx context.Context, dir string, f func() error) (err error) {
	if err := r.home.Make(dir); err != nil {
		return err
	}
	lock := flock.New(filepath.Join(dir, ".lock"), flock.SetPermissions(0o600))
	wait, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	if _, err := lock.TryLockContext(wait, lockPoll); err != nil {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, context.DeadlineExceeded):
			return &problem.Error{
				Summary: "another stephost has been changing " + dir + " for " + lockWait.String(),
				Next:    "wait for it or end it, then try again",
			}
		}
		return &problem.Error{Summary: "cannot lock " + dir, Err: err,
			Next: home.Next(err)}
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	return f()
}
