package host

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/stephost/stephost/host/launch"
	"github.com/stephost/stephost/host/runs"
)

const (
	// followPoll is how often the follower looks for runs that were handed over.
	followPoll = 500 * time.Millisecond
	// followIdle is how long it stays without a run. A second launch --detach
	// within it finds the plugins running.
	followIdle = 3 * time.Second
	// followWait is how long a second follower waits for the lock of the first.
	// Whoever held it that long has polled in the meantime, and sees the run for
	// which the second one was started.
	followWait = followIdle + 4*followPoll
)

// FollowerRuns tells whether a follower of this home lives.
func (h *Host) FollowerRuns() bool {
	lock := flock.New(h.followerLock())
	got, err := lock.TryRLock()
	if err != nil {
		return false
	}
	_ = lock.Close()
	return !got
}

func (h *Host) followerLock() string { return filepath.Join(h.Home().Owners(), "follower") }

// Follow drives all detached runs of this home that have no living owner, until
// there are none. One follower per home: a second one waits a moment, in case
// the first is just ending, and leaves (false).
func (h *Host) Follow(ctx context.Context) (bool, error) {
	if err := h.Home().Make(h.Home().Owners()); err != nil {
		return false, err
	}
	lock := flock.New(h.followerLock())
	wait, cancel := context.WithTimeout(ctx, followWait)
	defer cancel()
	held, err := lock.TryLockContext(wait, followPoll/2)
	if errors.Is(err, context.DeadlineExceeded) || (err == nil && !held) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = lock.Unlock() }()
	return true, h.follow(ctx)
}

func (h *Host) follow(ctx context.Context) error {
	sup, err := h.Supervisor(ctx)
	if err != nil {
		return err
	}
	store, err := h.Runs(ctx)
	if err != nil {
		return err
	}
	var (
		drives sync.WaitGroup
		mu     sync.Mutex
		active = map[string]bool{}
		parked = map[string]bool{} // ended with an error: a person, or another command, goes on
		idle   time.Time
	)
	defer drives.Wait()
	tick := time.NewTicker(followPoll)
	defer tick.Stop()
	for {
		found, err := store.Ownerless(ctx)
		if err != nil {
			return err
		}
		mu.Lock()
		for _, r := range found {
			if !r.Detached || active[r.ID] || parked[r.ID] {
				continue
			}
			active[r.ID] = true
			drives.Go(func() {
				_, err := sup.Drive(ctx, r.ID, launch.DriveOptions{})
				mu.Lock()
				defer mu.Unlock()
				delete(active, r.ID)
				if err != nil {
					parked[r.ID] = true
					h.o.Log.Warn("the run waits for a person or for another command", "run", r.ID, "error", err)
				}
			})
		}
		n := len(active)
		mu.Unlock()
		now := time.Now()
		switch {
		case n > 0:
			idle = time.Time{}
		case idle.IsZero():
			idle = now
		case now.Sub(idle) >= followIdle:
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Recovered is what Recover did with one run.
type Recovered struct {
	Run *runs.Run
	Err error
}

// Recover drives runs that have no living owner until each is over, or cannot
// go on: those with the given IDs, or all. done is called after each, from one
// goroutine at a time.
func (h *Host) Recover(ctx context.Context, ids []string, all bool, done func(Recovered)) error {
	store, err := h.Runs(ctx)
	if err != nil {
		return err
	}
	if all {
		found, err := store.Ownerless(ctx)
		if err != nil {
			return err
		}
		ids = nil
		for _, r := range found {
			ids = append(ids, r.ID)
		}
	}
	sup, err := h.Supervisor(ctx)
	if err != nil {
		return err
	}
	const atOnce = 64 // enough to overlap the waits, few enough for one API
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		slot = make(chan struct{}, atOnce)
	)
	for _, id := range ids {
		slot <- struct{}{}
		wg.Go(func() {
			defer func() { <-slot }()
			r, err := sup.Drive(ctx, id, launch.DriveOptions{})
			mu.Lock()
			defer mu.Unlock()
			done(Recovered{Run: r, Err: runProblem(err)})
		})
	}
	wg.Wait()
	return ctx.Err()
}
