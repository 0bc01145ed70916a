package host

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/stephost/stephost/host/launch"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/process"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/runs/spool"
)

// LaunchRequest asks for a run of a selected step.
type LaunchRequest struct {
	Selection *Selection
	// Token names the run; "" lets the host make one.
	Token string
	// Again starts the next attempt when the token's run has ended without
	// success.
	Again bool
	// First says that nothing was ever submitted with the given token.
	First bool
	// Detach hands the run to the follower as soon as the backend has it.
	Detach bool
}

// Session is one process's part in a run: driving it, or looking on while
// somebody else does.
type Session struct {
	host *Host
	sup  *launch.Supervisor
	id   string
	o    SessionOptions

	mu      sync.Mutex
	driving bool
}

// SessionOptions of Launch and Attach.
type SessionOptions struct {
	// Detach: return as soon as the backend has the job.
	Detach bool
	// TakeOver replaces an owner whose life cannot be judged from here.
	TakeOver bool
	// ViewOnly never becomes the owner.
	ViewOnly bool
	// Foreign: the run is gone on with where nobody else does, but this is not the
	// process from whose environment its secrets come.
	Foreign bool
}

// Launched tells what Launch found.
type Launched struct {
	*Session
	// Created is false when the token named a run already.
	Created bool
	// Run is the record as it was then.
	Run *runs.Run
}

// Launch creates a run, or finds the one that the token names. Wait does the
// rest.
func (h *Host) Launch(ctx context.Context, q LaunchRequest) (*Launched, error) {
	sel := q.Selection
	fl := h.taken(sel)
	if fl == nil {
		var err error
		if fl, err = h.launchable(ctx, sel); err != nil {
			return nil, err
		}
		h.warm(ctx, fl)
	}
	sup, err := h.Supervisor(ctx)
	if err != nil {
		return nil, err
	}
	r, created, err := sup.Create(ctx, launch.Request{
		Flavor: fl, Operator: sel.Operator.Name, Step: sel.Resolved, Token: q.Token, First: q.First, Again: q.Again, Detached: q.Detach})
	if err != nil {
		return nil, err
	}
	if !created && q.Again && r.State == runs.Closed {
		if err := sup.Again(ctx, r.ID); err != nil {
			return nil, err
		}
	}
	return &Launched{Session: &Session{host: h, sup: sup, id: r.ID, o: SessionOptions{Detach: q.Detach}}, Created: created, Run: r}, nil
}

// Attach joins a run that exists.
func (h *Host) Attach(ctx context.Context, id string, o SessionOptions) (*Session, error) {
	store, err := h.Runs(ctx)
	if err != nil {
		return nil, err
	}
	r, err := store.Run(ctx, id)
	if err != nil {
		return nil, runProblem(err)
	}
	sup, err := h.Supervisor(ctx)
	if err != nil {
		return nil, err
	}
	return &Session{host: h, sup: sup, id: r.ID, o: o}, nil
}

// Start checks the implementation of a selected flavor and starts its plugin; it is
// for StepRequest.Chosen. A step that turns out to be wrong ends it again, with
// Close.
func (h *Host) Start(ctx context.Context, sel *Selection) error {
	fl, err := h.launchable(ctx, sel)
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.checked[sel] = fl
	h.mu.Unlock()
	h.warm(ctx, fl)
	return nil
}

// taken is what Start has checked, or nil. Whoever takes it uses it.
func (h *Host) taken(sel *Selection) *launch.Flavor {
	h.mu.Lock()
	defer h.mu.Unlock()
	fl := h.checked[sel]
	delete(h.checked, sel)
	return fl
}

// Warm asks the kernel ahead what the first start of a process asks it.
func (h *Host) Warm() { h.warming.Go(process.Warm) }

// warm starts the plugin while the step is resolved, the store is opened and the
// run is created: all of them take milliseconds, and there are two cores. A
// failure shows when the plugin is needed.
func (h *Host) warm(ctx context.Context, fl *launch.Flavor) {
	m := h.processManager()
	h.warming.Go(func() {
		if p, err := m.Acquire(ctx, fl.Spec); err == nil {
			p.Release()
		}
	})
}

// ID of the run.
func (s *Session) ID() string { return s.id }

// Driving tells whether this process owns the run now: then a Ctrl-C cancels
// it. A viewer only leaves.
func (s *Session) Driving() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.driving
}

func (s *Session) setDriving(v bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.driving = v
}

// viewPoll is how often a viewer looks whether the run is over or its owner is
// gone. The log has its own way and does not wait for it.
const viewPoll = 250 * time.Millisecond

// Wait moves the run on until it is over, or looks on while another process
// does; when that one dies, it takes over. It ends early with ctx, which leaves
// the run as it is. The errors are those of launch.Supervisor.Drive.
func (s *Session) Wait(ctx context.Context) (*runs.Run, error) {
	for {
		if !s.o.ViewOnly {
			s.setDriving(true)
			r, err := s.sup.Drive(ctx, s.id, launch.DriveOptions{TakeOver: s.o.TakeOver, UntilSubmitted: s.o.Detach, Foreign: s.o.Foreign})
			s.setDriving(false)
			var owned *runs.OwnedError
			if !errors.As(err, &owned) {
				return r, err
			}
			if owned.Elsewhere && !owned.Alive {
				return r, &problem.Error{Summary: err.Error(), Run: s.id, Class: problem.Unknown,
					Next: fmt.Sprintf("when that process is certainly gone: `stephost run attach %s --take-over`", s.id)}
			}
		}
		over, r, err := s.view(ctx)
		if over || err != nil {
			return r, err
		}
	}
}

// view looks on until the run is over, or until it is worth trying to own it.
func (s *Session) view(ctx context.Context) (over bool, r *runs.Run, err error) {
	store, err := s.host.Runs(ctx)
	if err != nil {
		return false, nil, err
	}
	tick := time.NewTicker(viewPoll)
	defer tick.Stop()
	began := time.Now()
	for {
		r, err := store.Run(ctx, s.id)
		switch {
		case err != nil:
			return false, r, err
		case r.State == runs.Closed, s.o.ViewOnly && r.Verdict != nil:
			return true, r, nil
		case s.o.Detach && r.State == runs.Submitted:
			return true, r, nil
		case !s.o.ViewOnly && (r.OwnerID == "" || time.Since(began) > 4*viewPoll):
			return false, r, nil
		}
		select {
		case <-ctx.Done():
			return false, r, ctx.Err()
		case <-tick.C:
		}
	}
}

// Cancel stores the wish to cancel; whoever drives the run obeys it.
func (s *Session) Cancel(ctx context.Context, cause, by string, force bool) error {
	return s.sup.Cancel(ctx, s.id, runs.Intent{Cause: cause, By: by, At: time.Now(), Force: force})
}

// Detach leaves the run, which this process must have let go, to the follower.
// It is no error when somebody else drives it already.
func (s *Session) Detach(ctx context.Context) error {
	err := s.sup.Detach(ctx, s.id)
	var owned *runs.OwnedError
	if errors.As(err, &owned) {
		return nil
	}
	return err
}

// Log reads the run's log, from its start unless o says otherwise. With Follow
// it goes on until the log is complete.
func (s *Session) Log(ctx context.Context, o spool.ReadOptions) (*spool.Reader, error) {
	if r, err := s.sup.LogReader(s.id, o); r != nil || err != nil {
		return r, err
	}
	store, err := s.host.Runs(ctx)
	if err != nil {
		return nil, err
	}
	return spool.OpenReader(store.LogDir(s.id), o)
}
