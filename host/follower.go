package host

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
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
	// followerStart is how long a starting follower keeps others from being started, and
	// followerLook how often it is looked for: it is there after milliseconds, on a
	// machine under load after seconds.
	followerStart = 10 * time.Second
	followerLook  = 20 * time.Millisecond
	// followAgainMost is the longest pause before a run that could not be driven on
	// (the disk was full, the plugin was killed) is tried again.
	followAgainMost = 30 * time.Second
	// followPatience is how long the follower stays for such a run alone. While it has
	// others, it goes on trying.
	followPatience = 10 * time.Minute
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

// StartFollower calls start, which starts a follower, unless one lives or another
// process is just starting one: of a hundred commands that leave their runs at the same
// time one does. It returns when there is a follower, or none comes up.
func (h *Host) StartFollower(ctx context.Context, start func() error) error {
	if err := h.Home().Make(h.Home().Owners()); err != nil {
		return err
	}
	starting := flock.New(h.followerLock() + ".starting")
	got, err := starting.TryLock()
	if err != nil {
		return err
	}
	defer func() { _ = starting.Close() }()
	if !got || h.FollowerRuns() {
		return nil
	}
	if err := start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, followerStart)
	defer cancel()
	tick := time.NewTicker(followerLook)
	defer tick.Stop()
	for !h.FollowerRuns() {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
	return nil
}

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
	f := &follower{h: h, sup: sup, active: map[string]bool{}, failed: map[string]*failure{}}
	defer f.drives.Wait()
	tick := time.NewTicker(followPoll)
	defer tick.Stop()
	var idle, blind time.Time
	for {
		now := time.Now()
		found, err := store.Ownerless(ctx)
		switch {
		case err == nil:
			blind = time.Time{}
		case ctx.Err() != nil:
			return ctx.Err()
		case blind.IsZero():
			blind = now
			h.o.Log.Warn("could not look for runs", "error", err)
		case now.Sub(blind) > followPatience && f.busy(now) == 0:
			return err
		}
		for _, id := range f.due(found, now) {
			f.drives.Go(func() { f.drive(ctx, id) })
		}
		switch {
		case f.busy(now) > 0 || !blind.IsZero():
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

// follower drives the detached runs of one home.
type follower struct {
	h      *Host
	sup    *launch.Supervisor
	drives sync.WaitGroup

	mu     sync.Mutex
	active map[string]bool
	failed map[string]*failure // by run ID
}

// failure is a run that could not be driven on.
type failure struct {
	since, next time.Time
	pause       *backoff.ExponentialBackOff
	// fence is that of the drive that failed.
	fence int64
	// person: somebody, or another command, goes on with it.
	person bool
}

// due are the runs to drive now, which it marks as active: those that were handed over,
// and those that failed and whose pause is over. A run that could not even be given
// back is still this process's own, and in no list.
func (f *follower) due(found []*runs.Run, now time.Time) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ids []string
	for _, r := range found {
		switch x := f.failed[r.ID]; {
		case x == nil:
		case x.fence == 0: // it could not even be claimed
			x.fence = r.Fence
		case r.Fence > x.fence:
			delete(f.failed, r.ID) // somebody has had it since, and handed it over again
		}
		if r.Detached && f.failed[r.ID] == nil {
			ids = append(ids, r.ID)
		}
	}
	for id, x := range f.failed {
		if !x.person && !now.Before(x.next) {
			ids = append(ids, id)
		}
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return f.active[id] })
	for _, id := range ids {
		f.active[id] = true
	}
	return ids
}

// busy counts the runs for which the follower stays: those that it drives, and those
// that it will try again soon.
func (f *follower) busy(now time.Time) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.active)
	for id, x := range f.failed {
		if !f.active[id] && !x.person && now.Sub(x.since) < followPatience {
			n++
		}
	}
	return n
}

func (f *follower) drive(ctx context.Context, id string) {
	began := time.Now()
	r, err := f.sup.Drive(ctx, id, launch.DriveOptions{Foreign: true})
	if ctx.Err() == nil {
		f.ended(id, began, r, err)
	}
}

// ended takes how a drive that began then has ended.
func (f *follower) ended(id string, began time.Time, r *runs.Run, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.active, id)
	var (
		owned  *runs.OwnedError
		fenced *runs.FencedError
	)
	x := f.failed[id]
	switch {
	case err == nil, errors.As(err, &owned), errors.As(err, &fenced):
		delete(f.failed, id) // over, or somebody else's
		return
	case x == nil || time.Since(began) > followPatience:
		x = &failure{since: time.Now(), pause: backoff.NewExponentialBackOff()}
		x.pause.InitialInterval, x.pause.MaxInterval = followPoll, followAgainMost
		f.failed[id] = x
	}
	if r != nil {
		x.fence = r.Fence
	}
	if x.person = !launch.Passes(err); x.person {
		f.h.o.Log.Warn("the run waits for a person or for another command", "run", id, "error", err)
		return
	}
	pause := x.pause.NextBackOff()
	x.next = time.Now().Add(pause)
	f.h.o.Log.Warn("the run could not be driven on and is tried again", "run", id, "in", pause, "error", err)
}

// Recovered is what Recover did with one run.
type Recovered struct {
	Run *runs.Run
	Err error
}

// Recover drives runs that have no living owner until each is over, or cannot
// go on without a person: those with the given IDs, or all. done is called after each, from one
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
			r, err := sup.Drive(ctx, id, launch.DriveOptions{GiveUp: true, Foreign: true})
			mu.Lock()
			defer mu.Unlock()
			done(Recovered{Run: r, Err: runProblem(err)})
		})
	}
	wg.Wait()
	return ctx.Err()
}
