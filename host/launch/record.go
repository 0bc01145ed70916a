package launch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/runs"
)

const (
	// roomWait bounds how long a drive waits for room on the store's disk, or for a
	// lock that another process holds too long: what it has to store (a handle, a
	// verdict) is worth the minutes in which a person, or a log that is rotated,
	// makes room.
	roomWait = 2 * time.Minute
	// roomFirst and roomMost are the pauses between two tries.
	roomFirst = 200 * time.Millisecond
	roomMost  = 5 * time.Second
)

// record is a run's record in the hands of its drive. It is more than the claim in
// two ways: a disk without room is waited for, and a cancel that could not be stored
// counts all the same, because the process that drives the run knows of it.
type record struct {
	*runs.Claim
	d *drive
}

// Run is the run as it was last read or written, with a cancel that is wanted and not
// stored yet.
func (c *record) Run() *runs.Run {
	r := c.Claim.Run()
	if r.Verdict == nil {
		r.Intent = wanted(r.Intent, c.d.unstored())
	}
	return r
}

// Update changes the run. It waits until the store can be written, with a bound.
func (c *record) Update(ctx context.Context, d runs.Durability, fn func(r *runs.Run) ([]runs.Event, error)) error {
	began := c.d.s.o.Now()
	again := newBackoff()
	again.InitialInterval, again.MaxInterval = roomFirst, roomMost
	for {
		err := c.now(ctx, d, fn)
		if !unwritable(err) {
			return err
		}
		until := began.Add(roomWait)
		if c.d.s.o.Now().After(until) {
			return c.noRoom(err)
		}
		c.d.notify(Notice{Kind: Status, Phase: c.d.phase(), Reason: "store", Message: "the store of runs cannot be written, the run waits for it: " + err.Error(),
			Since: began, Until: until})
		if pause(ctx, again.NextBackOff()) != nil {
			return err
		}
	}
}

// now is Update without the waiting: for what may be stored later as well, or must not
// hold up a cancel.
func (c *record) now(ctx context.Context, d runs.Durability, fn func(r *runs.Run) ([]runs.Event, error)) error {
	wish := c.d.unstored()
	return c.Claim.Update(ctx, d, func(r *runs.Run) ([]runs.Event, error) {
		var events []runs.Event
		if in := wanted(r.Intent, wish); in != r.Intent && r.Verdict == nil {
			data, err := json.Marshal(in)
			if err != nil {
				return nil, fmt.Errorf("run %s: %w", r.ID, err)
			}
			r.Intent = in
			events = append(events, runs.Event{Kind: runs.EventCancel, Actor: wish.By, Message: in.Cause, Data: data})
		}
		more, err := fn(r)
		return append(events, more...), err
	})
}

// wanted is the cancel that counts: the stored one is kept, and a later one can only
// raise Force.
func wanted(stored, wish *runs.Intent) *runs.Intent {
	switch {
	case stored == nil:
		return wish
	case wish == nil || stored.Force || !wish.Force:
		return stored
	}
	raised := *stored
	raised.Force = true
	return &raised
}

// noRoom is the end of the waiting.
func (c *record) noRoom(err error) error {
	p := &problem.Error{Summary: "the store of runs cannot be written", Run: c.d.id, Err: err,
		Detail: fmt.Sprintf("It was tried for %s. The job goes on at the backend, or has ended there; nothing of it is lost.", roomWait),
		Next:   "make room on the disk, then `stephost run recover " + c.d.id + "`"}
	var busy *runs.BusyError
	if errors.As(err, &busy) {
		p.Next = "end the process that holds the store, then `stephost run recover " + c.d.id + "`"
	}
	return p
}

// unwritable tells whether the store may take the same change later.
func unwritable(err error) bool {
	var (
		disk *runs.DiskError
		busy *runs.BusyError
	)
	return errors.As(err, &disk) || errors.As(err, &busy)
}

// want is a cancel that only this drive knows of: of a timer, or one that could not be
// stored. The next update stores it, under the claim's fence. The first one counts.
func (d *drive) want(in runs.Intent) {
	d.mu.Lock()
	if d.wish == nil {
		d.wish = &in
	} else if in.Force {
		raised := *d.wish
		raised.Force = true
		d.wish = &raised
	}
	d.mu.Unlock()
	d.poke()
}

// unstored is what want was told, or nil.
func (d *drive) unstored() *runs.Intent {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.wish == nil {
		return nil
	}
	in := *d.wish
	return &in
}

// phase is what the person who watches was last told.
func (d *drive) phase() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lastSent.Phase
}

// hindered tells why the run does not go on at the moment, and stores it for those
// who look at the record. The reason stands until the backend answers or the state
// changes.
func (d *drive) hindered(ctx context.Context, n Notice) {
	d.notify(n)
	d.because(ctx, n.Message)
}

// because stores the reason; "" when there is none any more. A store that does not
// take it is no reason to do anything else.
func (d *drive) because(ctx context.Context, reason string) {
	reason = problem.Bound(reason, 1<<10)
	if d.claim.Run().StateReason == reason {
		return
	}
	state := d.claim.Run().State
	err := d.claim.now(ctx, runs.Relaxed, func(r *runs.Run) ([]runs.Event, error) {
		if r.State == state {
			r.StateReason = reason
		}
		return nil, nil
	})
	if err != nil && ctx.Err() == nil {
		d.s.o.Log.Warn("the reason of a wait could not be stored", "run", d.id, "error", err)
	}
}
