package launch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/runs/spool"
)

// DriveOptions of one Drive.
type DriveOptions struct {
	// TakeOver replaces an owner whose life cannot be judged from here (another
	// machine, another pid namespace).
	TakeOver bool
	// UntilSubmitted returns as soon as the backend has the job, for a launch
	// that hands the run to the follower.
	UntilSubmitted bool
	// First skips the search for jobs of a given token before the first
	// submission: the caller knows that there are none.
	First bool
	// GiveUp gives the run back when the backend goes on to refuse the credentials or
	// the scope: who drives many runs does not wait for the person whom one of them
	// needs.
	GiveUp bool
	// Foreign: this process was not told to launch this run. What its environment holds
	// is none of the step's secrets, unless it is the same there.
	Foreign bool
}

// plan is launch's own part of a run's record: what Drive needs again after a
// crash. It holds no secret values, only references.
type plan struct {
	Step  *project.Resolved
	First bool `json:",omitempty"`
	Again bool `json:",omitempty"`
	// JoinOnly: the step is not known here; the run may be adopted and never
	// submitted.
	JoinOnly bool `json:",omitempty"`
	// Marks are of the environment variables that secrets come from, by name, as they
	// were where the run was launched.
	Marks map[string]string `json:",omitempty"`
}

// drive is one run in the hands of this process. Its goroutine is the only one
// that writes the record; poke is safe from anywhere.
type drive struct {
	s     *Supervisor
	o     DriveOptions
	id    string
	claim *record
	plan  plan

	flavor  *Flavor
	backend *backend

	owned *owned
	spool *spool.Writer
	logs  *logPump
	vals  *values

	// resubmits counts how often this drive sent the current attempt again.
	resubmits int
	// doubt is when a request of the current attempt was last known to be under way
	// without an answer; zero when none is. refused is what the backend said to a later
	// one: it proves nothing about the first.
	doubt   time.Time
	refused *rejection
	// failure is why a launch that this process was told to make could not be prepared.
	// The run ends with it, because its person will try again.
	failure error
	// unsent counts how often the backend refused to be asked.
	unsent int
	// ending is closed when the drive's context ends: a submission, which is
	// not cancelled with it, stops waiting for better times.
	ending <-chan struct{}

	poked chan struct{} // capacity 1: look at the record

	mu       sync.Mutex
	lastSent Notice
	wish     *runs.Intent // see want
}

// Drive moves a run on until it is closed and returns its record. It returns
// early with the record as far as it came when ctx ends (the run goes on at the
// backend; nothing is cancelled), and with a typed error when it cannot go on:
// *UnknownError, *BlockedError, *UnconfirmedError, *runs.OwnedError (somebody
// else drives it), *runs.FencedError (somebody took it over).
func (s *Supervisor) Drive(ctx context.Context, id string, o DriveOptions) (*runs.Run, error) {
	f, err := s.own(ctx, id, runs.ClaimOptions{TakeOver: o.TakeOver})
	if err != nil {
		return nil, err
	}
	claim := f.claim
	d := &drive{s: s, o: o, owned: f, id: claim.Run().ID, poked: make(chan struct{}, 1), vals: newValues(), ending: ctx.Done()}
	d.claim = &record{Claim: claim, d: d}
	defer d.release()
	if err := d.openSpool(); err != nil {
		return claim.Run(), err
	}
	s.enter(d)
	defer s.leave(d)
	if err := json.Unmarshal(claim.Run().Plan, &d.plan); err != nil || d.plan.Step == nil {
		return claim.Run(), &problem.Error{Summary: "the record of this run cannot be read", Run: d.id, Err: err,
			Next: "use the stephost version that launched it"}
	}
	if err = d.remark(ctx); err == nil {
		err = d.loop(ctx)
	}
	if err == nil {
		err = d.failure
	}
	var fenced *runs.FencedError
	if err != nil && !errors.As(err, &fenced) && ctx.Err() != nil {
		err = ctx.Err()
	}
	return d.claim.Run(), err
}

// release gives back what the drive holds.
func (d *drive) release() {
	if d.logs != nil {
		d.logs.stop()
	}
	if d.backend != nil {
		d.backend.close()
	}
	d.s.giveBack(d.owned)
}

// writer is the run's log, for readers in this process.
func (d *drive) writer() *spool.Writer { return d.owned.log }

// loop does the next act until there is none.
func (d *drive) loop(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		r := d.claim.Run()
		if d.o.UntilSubmitted && (r.State == runs.Submitted || r.Verdict != nil) {
			return nil
		}
		before := r.State
		var err error
		switch r.State {
		case runs.Created, runs.Preparing, runs.Prepared:
			err = d.prepareAndSubmit(ctx)
		case runs.Submitting, runs.Unknown:
			err = d.settle(ctx)
		case runs.Blocked:
			err = d.unblock(ctx)
		case runs.Submitted:
			err = d.follow(ctx)
		case runs.Ended:
			err = d.drain(ctx)
		case runs.Drained:
			err = d.cleanup(ctx)
		case runs.Cleaned:
			err = d.close(ctx)
		case runs.Closed:
			return nil
		default:
			err = fmt.Errorf("run %s has the state %q, which this version does not know", d.id, r.State)
		}
		if err != nil {
			return err
		}
		if after := d.claim.Run(); after.State == before && len(after.Attempts) == len(r.Attempts) {
			return fmt.Errorf("run %s made no step in state %q; this is a bug of stephost", d.id, before)
		}
	}
}

// attempt is the current one.
func (d *drive) attempt() *runs.Attempt {
	r := d.claim.Run()
	return &r.Attempts[len(r.Attempts)-1]
}

// poke makes the drive look at its record.
func (d *drive) poke() {
	select {
	case d.poked <- struct{}{}:
	default:
	}
}

// intent is the cancel that is wanted. It asks the store, because any process may
// have written it.
func (d *drive) intent(ctx context.Context) (*runs.Intent, error) {
	wish := d.unstored()
	r, err := d.claim.Refresh(ctx)
	var fenced *runs.FencedError
	if errors.As(err, &fenced) { // a replaced owner stops, whatever was wanted of it
		return nil, err
	}
	if err != nil && wish == nil {
		return nil, err
	}
	if err != nil {
		return wish, nil
	}
	return wanted(r.Intent, wish), nil
}

// notify tells who watches; the same status is not told twice.
func (d *drive) notify(n Notice) {
	n.Run, n.Attempt = d.id, len(d.claim.Run().Attempts)
	d.mu.Lock()
	same := n == d.lastSent
	d.lastSent = n
	d.mu.Unlock()
	if !same {
		d.s.o.Notify(n)
	}
}

// event makes an entry of the run's story.
func event(kind, format string, args ...any) runs.Event {
	return runs.Event{Kind: kind, Message: problem.Bound(fmt.Sprintf(format, args...), 1<<10)}
}

// moved makes an entry about a new state.
func moved(format string, args ...any) runs.Event {
	return event(runs.EventState, format, args...)
}
