package launch

import (
	"context"
	"encoding/json"
	"time"

	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/internal/failpoint"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// statusHold is how long a status may wait before it is stored: a job that
// passes three phases in a moment costs one commit, a person who asks sees
// nothing older than this.
const statusHold = 200 * time.Millisecond

// refusedMost is how long a drive that does not wait for a person (DriveOptions.GiveUp)
// is refused by the backend before it gives the run back: some questions more than one.
const refusedMost = 15 * time.Second

// follow watches a submitted job until its end, keeps its timers, obeys cancel
// intents and copies its log.
func (d *drive) follow(ctx context.Context) error {
	if err := d.open(ctx); err != nil {
		return err
	}
	if _, err := d.target(ctx); err != nil { // blocks early when credentials are missing
		return err
	}
	if err := d.startLogs(); err != nil {
		return err
	}
	f := &follower{d: d, timers: d.newTimers()}
	f.watch = d.startWatch(ctx)
	defer f.watch.stop()
	f.status = time.NewTimer(time.Hour)
	f.status.Stop()
	defer f.status.Stop()
	f.due = time.NewTimer(f.timers.next(d.s.o.Now()))
	defer f.due.Stop()
	f.giveUp = time.NewTimer(time.Hour)
	f.giveUp.Stop()
	defer f.giveUp.Stop()
	failpoint.Hit("host-watching")
	d.poke() // an intent may have been stored before this owner came
	return f.run(ctx)
}

// follower is the loop of follow: one goroutine, so that verdict, timers and
// cancel are never decided at the same time.
type follower struct {
	d      *drive
	watch  *watcher
	timers *timers
	cancel *canceller

	last   *operatorv1.Status // not stored yet
	status *time.Timer        // when it is
	due    *time.Timer        // the next deadline

	refused *AskError   // the backend wants something of a person
	giveUp  *time.Timer // when that ends the drive
}

func (f *follower) run(ctx context.Context) error {
	defer func() { f.cancel.stop() }()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case ev := <-f.watch.events:
			if over, err := f.event(ctx, ev); over || err != nil {
				return err
			}
		case <-f.d.poked:
			if err := f.intent(ctx); err != nil {
				return err
			}
		case <-f.status.C:
			if err := f.store(ctx); err != nil {
				return err
			}
		case <-f.due.C:
			// A timer decides nothing: it asks for a fresh state, and the answer
			// decides (an unreachable API must not cancel a healthy training).
			f.watch.reopen()
			f.due.Reset(f.timers.again())
		case <-f.giveUp.C:
			return f.d.couldNotAskProblem("watching the job", f.refused)
		case <-f.cancel.done():
			if err := f.cancelled(ctx); err != nil {
				return err
			}
		case <-f.cancel.late():
			return f.unconfirmed(ctx)
		}
	}
}

// event takes one event of Watch. It tells whether the attempt is over.
func (f *follower) event(ctx context.Context, ev watchEvent) (bool, error) {
	if ev.err != nil {
		return false, ev.err
	}
	switch e := ev.msg.GetEvent().(type) {
	case *operatorv1.WatchResponse_Terminal:
		return true, f.d.concluded(ctx, e.Terminal)
	case *operatorv1.WatchResponse_Status:
		f.observed(e.Status, ev.at)
		return false, f.deadlines(ctx, e.Status.GetObservedAt().AsTime())
	case *operatorv1.WatchResponse_Heartbeat:
		return false, f.deadlines(ctx, e.Heartbeat.GetConfirmedAt().AsTime())
	case *operatorv1.WatchResponse_Reachability:
		f.reached(ctx, e.Reachability)
	}
	return false, nil
}

// reached takes the word whether the backend answers. Nothing follows for the job; why
// the run does not go on is told and stored.
func (f *follower) reached(ctx context.Context, r *operatorv1.Reachability) {
	if r.GetReachable() {
		f.answered()
		f.d.because(ctx, "")
		if f.last != nil {
			f.tell(f.last)
		}
		return
	}
	cause := couldNotAsk(r.GetCouldNotAsk())
	f.d.hindered(ctx, Notice{Kind: Status, Phase: f.timers.phase, Reason: "unreachable", Message: cause.Error(), Since: r.GetSince().AsTime()})
	switch {
	case cause.passes():
		f.answered()
	case f.d.o.GiveUp && f.refused == nil:
		f.giveUp.Reset(refusedMost)
		f.refused = cause
	}
}

// answered ends the waiting for a person.
func (f *follower) answered() {
	f.refused = nil
	f.giveUp.Stop()
}

// observed takes a status: it is told now and stored a moment later.
func (f *follower) observed(s *operatorv1.Status, at time.Time) {
	f.answered()
	f.timers.observe(s, at)
	if f.last == nil {
		f.status.Reset(statusHold)
	}
	f.last = s
	f.tell(s)
	f.due.Reset(f.timers.next(f.d.s.o.Now()))
}

func (f *follower) tell(s *operatorv1.Status) {
	since := time.Time{}
	if s.GetPhaseSince() != nil {
		since = s.GetPhaseSince().AsTime()
	}
	f.d.notify(Notice{Kind: Status, Phase: f.timers.phase, Reason: s.GetReason(), Message: s.GetMessage(),
		Since: since, Until: f.timers.bound(), URL: s.GetUrl()})
}

// store writes the held status. One that the store does not take is held on: the next
// act must not wait for it.
func (f *follower) store(ctx context.Context) error {
	s := f.last
	if s == nil {
		return nil
	}
	err := f.d.claim.now(ctx, runs.Relaxed, func(r *runs.Run) ([]runs.Event, error) {
		r.StateReason = "" // whatever hindered it: the backend has answered
		return f.d.putStatus(current(r), s, f.timers), nil
	})
	if unwritable(err) {
		f.d.s.o.Log.Warn("the status could not be stored", "run", f.d.id, "error", err)
		f.status.Reset(roomMost)
		return nil
	}
	f.last = nil
	return err
}

// putStatus writes a status into an attempt and tells the story of changes.
func (d *drive) putStatus(a *runs.Attempt, s *operatorv1.Status, t *timers) []runs.Event {
	phase := orElse(phaseWord(s.GetPhase()), a.Phase)
	changed := phase != a.Phase || s.GetReason() != a.Reason || s.GetRestarts() != a.Restarts
	a.Phase, a.Reason, a.Message = phase, s.GetReason(), problem.Bound(s.GetMessage(), 1<<10)
	a.NativeState, a.Restarts = s.GetNativeState(), s.GetRestarts()
	a.ObservedAt, a.PhaseSince = t.observedAt, t.since
	if !t.startedAt.IsZero() {
		a.StartedAt = t.startedAt
	}
	if s.GetUrl() != "" {
		a.URL = s.GetUrl()
	}
	if !changed {
		return nil
	}
	e := event("phase", "attempt %d is %s", a.Number, phase)
	if a.Reason != "" || a.Message != "" {
		e = event("phase", "attempt %d is %s: %s %s", a.Number, phase, a.Reason, a.Message)
	}
	e.Data, _ = json.Marshal(phaseData{Attempt: a.Number, Phase: phase}) // a number and a word: cannot fail
	return []runs.Event{e}
}

// phaseData is a change of phase for programs.
type phaseData struct {
	Attempt int    `json:"attempt"`
	Phase   string `json:"phase"`
}

// deadlines fires the timers that are due, on a state confirmed at confirmed.
func (f *follower) deadlines(ctx context.Context, confirmed time.Time) error {
	cause := f.timers.expired(confirmed)
	if cause == "" || f.cancel != nil {
		return nil
	}
	// The intent is stored before Cancel is called, so that whoever reads `cancelled`
	// after a crash still reports a timeout; and under the claim's fence, so that an
	// owner that was replaced ends nothing.
	f.d.want(runs.Intent{Cause: cause, By: "stephost", At: f.d.s.o.Now()})
	return f.intent(ctx)
}

// intent starts the cancel when one is wanted, or raises it to a hard stop.
func (f *follower) intent(ctx context.Context) error {
	in, err := f.d.intent(ctx)
	if err != nil || in == nil {
		return err
	}
	if f.cancel != nil {
		f.cancel.raise(in.Force)
		return nil
	}
	err = f.d.claim.now(ctx, runs.Durable, func(r *runs.Run) ([]runs.Event, error) {
		a := current(r)
		if a.CancelSentAt.IsZero() {
			a.CancelSentAt = f.d.s.o.Now()
		}
		return []runs.Event{event("cancelling", "the backend is asked to end attempt %d (%s)", a.Number, in.Cause)}, nil
	})
	if err != nil && !unwritable(err) {
		return err
	}
	n := Notice{Kind: Status, Phase: phaseCancelling, Since: f.d.s.o.Now(), Until: f.d.s.o.Now().Add(f.d.cancelTimeout())}
	if err != nil { // the job is ended all the same: it may cost money, and this process knows of the wish
		n.Message = "that is not stored yet: " + err.Error()
	}
	failpoint.Hit("host-cancelling")
	f.d.notify(n)
	f.cancel = f.d.startCancel(ctx, in.Force)
	return nil
}

// cancelled takes the end of the cancel call. The job may still be ending: only
// Watch confirms.
func (f *follower) cancelled(ctx context.Context) error {
	err := f.cancel.result()
	if err == nil {
		failpoint.Hit("host-cancel-sent")
		f.watch.reopen()
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &UnconfirmedError{Run: f.d.claim.Run(), Reason: err.Error()}
}

// unconfirmed ends the drive when the bound of the cancel is over. The run
// stays submitted, with its intent: whoever recovers it goes on here.
func (f *follower) unconfirmed(ctx context.Context) error {
	reason := "the job was still there after " + f.d.cancelTimeout().String()
	if err := f.d.claim.now(ctx, runs.Relaxed, func(r *runs.Run) ([]runs.Event, error) {
		return []runs.Event{event("cancel-unconfirmed", "%s", reason)}, nil
	}); err != nil && !unwritable(err) {
		return err
	}
	return &UnconfirmedError{Run: f.d.claim.Run(), Reason: reason}
}
