package runs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
)

// Durability says what a commit outlives.
type Durability int

const (
	// Relaxed commits with synchronous=NORMAL: every death of a process, not a
	// power cut.
	Relaxed Durability = iota
	// Durable commits with synchronous=FULL: a power cut too, together with
	// everything committed before.
	Durable
)

// ClaimOptions change a Claim.
type ClaimOptions struct {
	// TakeOver replaces an owner that is alive or cannot be judged. It is a
	// person's word.
	TakeOver bool
}

// Claim is the right to change one run, until somebody claims it anew. It is
// safe for concurrent use; updates happen one after another.
type Claim struct {
	store *Store
	owner *Owner
	id    string
	fence int64

	updating sync.Mutex // held over a whole update
	mu       sync.Mutex // guards the fields below
	last     loaded
	released bool
}

func newClaim(s *Store, o *Owner, l loaded) *Claim {
	o.hold(l.ID, l.Fence)
	return &Claim{store: s, owner: o, id: l.ID, fence: l.Fence, last: loaded{Run: l.clone(), rev: l.rev}}
}

// Claim makes o the owner of a run and raises the run's fence, so that whoever
// owned it cannot write any more. An owner that is alive, or that cannot be
// judged from here, is refused with *OwnedError unless TakeOver is set. The
// owner itself may claim anew; its older claim is then fenced off as well. Of
// several that claim at once, one wins.
func (s *Store) Claim(ctx context.Context, id string, o *Owner, c ClaimOptions) (*Claim, error) {
	at := s.instant()
	var l loaded
	var dead string
	err := s.change(ctx, Relaxed, func(tx *database) error {
		full, err := tx.resolve(id)
		if err != nil {
			return err
		}
		if l, err = tx.load(full); err != nil {
			return err
		}
		message := ""
		if l.OwnerID != "" && l.OwnerID != o.ID() {
			was := OwnerInfo{ID: l.OwnerID}
			if l.Owner != nil {
				was = *l.Owner
			}
			alive, elsewhere := s.judge(was)
			if (alive || elsewhere) && !c.TakeOver {
				return &OwnedError{Run: full, Owner: was, Alive: alive, Elsewhere: elsewhere}
			}
			if message = fmt.Sprintf("from process %d on %s, which has ended", was.PID, was.Host); alive || elsewhere {
				message = fmt.Sprintf("taken over from process %d on %s", was.PID, was.Host)
			} else {
				dead = was.ID
			}
		}
		info := o.Info()
		l.OwnerID, l.Owner, l.Fence = o.ID(), &info, l.Fence+1
		l.UpdatedAt = at
		encoded, err := json.Marshal(info)
		if err != nil {
			return fmt.Errorf("owner %s: %w", o.ID(), err)
		}
		l.rev++
		if _, err := tx.exec(`UPDATE runs SET rev = ?, owner = ?, owner_info = ?, fence = ?, updated = ? WHERE id = ?`,
			l.rev, l.OwnerID, encoded, l.Fence, nanos(at), full); err != nil {
			return err
		}
		return tx.addEvents(full, o.ID(), at, []Event{{Kind: EventClaimed, Message: message}})
	})
	if err != nil {
		return nil, err
	}
	if dead != "" {
		s.forgetOwner(ctx, dead)
	}
	return newClaim(s, o, l), nil
}

// Run is the run as it was last read or written through this claim: a copy of
// the caller's own.
func (c *Claim) Run() *Run {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last.clone()
}

// Fence is the claim's fence: it rises with every claim of the run. Package
// spool wants it too.
func (c *Claim) Fence() int64 { return c.fence }

// Refresh reads the run anew, to see a cancel intent that another process
// stored. *FencedError when the run was taken over.
func (c *Claim) Refresh(ctx context.Context) (*Run, error) {
	c.updating.Lock()
	defer c.updating.Unlock()
	err := c.store.view(ctx, func(tx *database) error {
		l, err := c.current(tx)
		if err == nil {
			c.keep(l)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return c.Run(), nil
}

// Update changes the run in one transaction: fn gets the newest copy (with a
// cancel intent that came in meanwhile), changes it, and returns what to add to
// its story. An error of fn changes nothing and is returned as it is. fn must
// be quick (it holds the store's lock), must not use the store, and must not
// keep r.
//
// The error is a *FencedError when the run was taken over or deleted, a
// *TransitionError, *FinalError or *NotOverError when the change is against the
// rules. What must outlive a power cut (package invariants) does so even when d
// is Relaxed, at the price of a second commit.
func (c *Claim) Update(ctx context.Context, d Durability, fn func(r *Run) ([]Event, error)) error {
	return c.update(ctx, d, func(r *Run) (*Run, []Event, error) {
		after := r.clone()
		events, err := fn(after)
		if err != nil {
			return nil, nil, err
		}
		if after.State != r.State {
			events = withState(events, stateEvent(r, after))
		}
		return after, events, nil
	}, false)
}

// Again reopens a closed run that did not succeed, for one more attempt: the
// verdict and the intent stay in the run's story and in the attempt, and fn
// gets the run without them, in state Preparing, to append the attempt. The
// last attempt must be over by the rules of every retry: one that was lost
// needs its Resolution first.
func (c *Claim) Again(ctx context.Context, fn func(r *Run) ([]Event, error)) error {
	return c.update(ctx, Durable, func(r *Run) (*Run, []Event, error) {
		if r.State != Closed {
			return nil, nil, &NotClosedError{Run: r.ID, State: r.State}
		}
		if r.Verdict != nil && r.Verdict.Class == ClassSucceeded {
			return nil, nil, &FinalError{Run: r.ID, Field: "the verdict of a run that succeeded"}
		}
		story, err := json.Marshal(struct {
			Verdict *Verdict `json:"verdict"`
			Intent  *Intent  `json:"intent,omitempty"`
		}{r.Verdict, r.Intent})
		if err != nil {
			return nil, nil, fmt.Errorf("run %s: %w", r.ID, err)
		}
		after := r.clone()
		after.Verdict, after.Intent, after.State, after.StateReason = nil, nil, Preparing, ""
		after.VerdictAt, after.ClosedAt = instant(0), instant(0)
		events, err := fn(after)
		if err != nil {
			return nil, nil, err
		}
		return after, append([]Event{{Kind: EventReopened, Data: story}}, events...), nil
	}, true)
}

// Release gives the run up, so that others may claim it. It is no error when
// the run was taken over or deleted meanwhile.
func (c *Claim) Release(ctx context.Context) error {
	c.updating.Lock()
	defer c.updating.Unlock()
	if c.isReleased() {
		return nil
	}
	at := c.store.instant()
	err := c.store.change(ctx, Relaxed, func(tx *database) error {
		n, err := tx.exec(`UPDATE runs SET rev = rev + 1, owner = '', owner_info = NULL, updated = ? WHERE id = ? AND fence = ? AND owner = ?`,
			nanos(at), c.id, c.fence, c.owner.ID())
		if err != nil || n == 0 {
			return err
		}
		return tx.addEvents(c.id, c.owner.ID(), at, []Event{{Kind: EventReleased}})
	})
	if err != nil {
		return err
	}
	c.owner.drop(c.id, c.fence)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.released = true
	return nil
}

func (c *Claim) update(ctx context.Context, d Durability, fn func(r *Run) (*Run, []Event, error), again bool) error {
	c.updating.Lock()
	defer c.updating.Unlock()
	if c.isReleased() {
		return &FencedError{Run: c.id, Mine: c.fence, Current: c.fence}
	}
	at := c.store.instant()
	var kept loaded
	var sync bool
	err := c.store.change(ctx, d, func(tx *database) error {
		l, err := c.current(tx)
		if err != nil {
			return err
		}
		after, events, err := fn(l.Run)
		if err != nil {
			return err
		}
		if again { // closing gave the run up
			info := c.owner.Info()
			l.Run = l.clone()
			l.OwnerID, l.Owner = c.owner.ID(), &info
			after.OwnerID, after.Owner = l.OwnerID, l.Owner
		}
		after.normalize()
		if err := check(l.Run, after, again, at); err != nil {
			return err
		}
		sync = d != Durable && durable(l.Run, after)
		if err := tx.save(l.Run, after); err != nil {
			return err
		}
		kept = loaded{Run: after.clone(), rev: l.rev + 1} // fn may have kept what it put in
		return tx.addEvents(c.id, c.owner.ID(), at, events)
	})
	if err != nil {
		return err
	}
	c.keep(kept)
	if kept.OwnerID == "" {
		c.owner.drop(c.id, c.fence) // closed
	} else {
		c.owner.hold(c.id, c.fence)
	}
	if !sync {
		return nil
	}
	// A FULL commit makes everything before it durable, but must write
	// something to be one.
	return c.store.change(ctx, Durable, func(tx *database) error {
		_, err := tx.exec(`UPDATE meta SET syncs = syncs + 1`)
		return err
	})
}

// current is the run as it stands in the store: the last copy when its
// revision still is the newest one.
func (c *Claim) current(tx *database) (loaded, error) {
	var rev, fence int64
	var owner string
	var info []byte
	err := tx.row(selectHead, []any{c.id}, &rev, &fence, &owner, &info)
	if errors.Is(err, sql.ErrNoRows) {
		c.owner.drop(c.id, c.fence)
		return loaded{}, &FencedError{Run: c.id, Mine: c.fence}
	}
	if err != nil {
		return loaded{}, err
	}
	if fence != c.fence {
		c.owner.drop(c.id, c.fence)
		return loaded{}, &FencedError{Run: c.id, Mine: c.fence, Current: fence, OwnerID: owner}
	}
	c.mu.Lock()
	last := c.last
	c.mu.Unlock()
	if rev == last.rev {
		return last, nil
	}
	return tx.load(c.id)
}

func (c *Claim) keep(l loaded) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = l
}

func (c *Claim) isReleased() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.released
}
