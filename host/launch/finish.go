package launch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/runs/spool"
	"github.com/stephost/stephost/host/schema"
	"github.com/stephost/stephost/internal/failpoint"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

const (
	// drainDefault bounds the wait for the end of the log where the step sets no
	// timeouts.log_drain.
	drainDefault = time.Minute
	// cleanupMost bounds how long a launch waits for leftovers to be removed:
	// the verdict is known, and recover goes on later.
	cleanupMost = 30 * time.Second
)

// drain waits for the end of the log, after the verdict.
func (d *drive) drain(ctx context.Context) error {
	if d.attempt().Handle != nil {
		if err := d.open(ctx); err != nil {
			return err
		}
		if d.logs == nil {
			if err := d.startLogs(); err != nil {
				return err
			}
		}
	}
	if err := d.drainLog(ctx); err != nil {
		return err
	}
	found, notes := d.foundValues()
	for _, n := range notes {
		d.notify(Notice{Kind: Warning, Message: n})
	}
	_ = d.spooled(d.spool.Finish())
	if owed := d.spool.Settle(); owed != "" {
		return d.undrained(ctx, found, owed)
	}
	failpoint.Hit("host-draining")
	return d.claim.Update(ctx, runs.Relaxed, func(r *runs.Run) ([]runs.Event, error) {
		r.State, r.StateReason = runs.Drained, ""
		if len(found) > 0 {
			r.Values = found
		}
		return nil, nil
	})
}

// undrained ends the drive of a run whose log the disk does not take: drained would
// mean that nobody asks for the rest, and no mark says that it is missing. The
// backend keeps it, and the spool keeps how far it came.
func (d *drive) undrained(ctx context.Context, found map[string]json.RawMessage, owed string) error {
	reason := "the log waits for room: " + owed
	err := d.claim.now(ctx, runs.Relaxed, func(r *runs.Run) ([]runs.Event, error) {
		if len(found) > 0 {
			r.Values = found
		}
		if r.StateReason == reason {
			return nil, nil
		}
		r.StateReason = reason
		return []runs.Event{event("log", "%s", reason)}, nil
	})
	if err != nil && !unwritable(err) {
		return err
	}
	return &LogError{Run: d.claim.Run(), Reason: owed}
}

// drainLog waits until the pump has everything, or marks that it has not.
func (d *drive) drainLog(ctx context.Context) error {
	if d.logs == nil {
		return nil
	}
	bound := d.plan.Step.Timeouts.LogDrain
	if bound <= 0 {
		bound = drainDefault
	}
	timer := time.NewTimer(bound)
	defer timer.Stop()
	hint := time.NewTimer(time.Second) // a person who waits longer is told for what
	defer hint.Stop()
	began := d.s.o.Now()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-hint.C:
			d.notify(Notice{Kind: Status, Phase: "draining", Reason: "log", Message: "waiting for the end of the log", Since: began, Until: began.Add(bound)})
			continue
		case <-d.poked:
			var fenced *runs.FencedError
			if _, err := d.claim.Refresh(ctx); errors.As(err, &fenced) {
				return err
			}
		case <-d.logs.done:
			complete, err := d.logs.result()
			if !complete {
				reason := "end not confirmed"
				if err != nil {
					reason += ": " + problem.Bound(err.Error(), 256)
				}
				_ = d.spooled(d.spool.Gap(d.wholeLog(), spool.Gap{Certainty: spool.Possible, Reason: reason}))
			}
			return nil
		case <-timer.C:
			d.logs.stop()
			_ = d.spooled(d.spool.Gap(d.wholeLog(), spool.Gap{Certainty: spool.Possible, Reason: "end not confirmed within " + bound.String()}))
			return nil
		}
	}
}

// wholeLog stands for all sources of the current attempt.
func (d *drive) wholeLog() spool.Source {
	return spool.Source{Attempt: int32(d.attempt().Number), Stream: "log"}
}

// cleanup removes the leftovers of every attempt. The record of the job stays
// as evidence for as long as the flavor keeps it.
func (d *drive) cleanup(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, cleanupMost)
	defer cancel()
	for i, a := range d.claim.Run().Attempts {
		if a.Handle == nil || a.LeftoversCleaned {
			continue
		}
		if err := d.open(ctx); err != nil {
			return err
		}
		if !d.flavor.Manifest.Can("cleanup") {
			continue
		}
		if err := d.cleanAttempt(limited, d.requestFor(i), operatorv1.CleanupRequest_WHAT_LEFTOVERS); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return d.leftBehind(err)
		}
		failpoint.Hit("host-cleaning")
	}
	return d.claim.Update(ctx, runs.Relaxed, func(r *runs.Run) ([]runs.Event, error) {
		for i := range r.Attempts {
			r.Attempts[i].LeftoversCleaned = r.Attempts[i].Handle != nil
		}
		r.State = runs.Cleaned
		return nil, nil
	})
}

// cleanAttempt repeats Cleanup until the backend did it or ctx ends.
func (d *drive) cleanAttempt(ctx context.Context, req jobRequest, what operatorv1.CleanupRequest_What) error {
	return clean(ctx, d.backend, req, d.s.o.Resolver, what)
}

func clean(ctx context.Context, b *backend, req jobRequest, resolver schema.Resolver, what operatorv1.CleanupRequest_What) error {
	again := newBackoff()
	for {
		target, missing := req.target(ctx, resolver)
		if missing != nil {
			return missing
		}
		var resp *operatorv1.CleanupResponse
		err := b.ask(ctx, cleanupBound, nil, func(ctx context.Context, c operatorv1.StepOperatorClient) (err error) {
			resp, err = c.Cleanup(ctx, &operatorv1.CleanupRequest{Target: target, Handle: req.handle, Key: req.key, What: what})
			return err
		})
		if err != nil {
			return err
		}
		if bad := firstError(resp.GetDiagnostics()); bad != nil {
			return &problem.Error{Summary: diagnosticText(bad)}
		}
		none := resp.GetCouldNotAsk()
		if none == nil {
			return nil
		}
		cause := couldNotAsk(none)
		if !cause.passes() {
			return cause
		}
		if err := pause(ctx, max(again.NextBackOff(), none.GetRetryAfter().AsDuration())); err != nil {
			return cause
		}
	}
}

// Forget removes the evidence of a closed run from the backend: the job objects
// of its attempts. It is refused while the flavor promises to keep them
// (submission.keeps), because the same run token may come again until then, from
// a machine that has no record.
func (s *Supervisor) Forget(ctx context.Context, r *runs.Run) error {
	f, err := s.o.Flavor(ctx, r.Pin)
	if err != nil {
		return err
	}
	if keeps := f.Manifest.Submission.Keeps; s.o.Now().Sub(r.ClosedAt) < keeps || r.State != runs.Closed {
		return &problem.Error{Summary: "the backend keeps the record of this run", Run: r.ID, Flavor: r.Pin.Flavor,
			Next: fmt.Sprintf("forget it %s after its end", keeps)}
	}
	var p plan
	if err := json.Unmarshal(r.Plan, &p); err != nil || p.Step == nil || !f.Manifest.Can("cleanup") {
		return err
	}
	b := newBackend(s.o.Processes, f.Spec)
	defer b.close()
	ctx, cancel := context.WithTimeout(ctx, cleanupMost)
	defer cancel()
	for i, a := range r.Attempts {
		if a.Handle == nil {
			continue
		}
		if err := clean(ctx, b, requestOf(r, p, i), s.o.Resolver, operatorv1.CleanupRequest_WHAT_RECORD); err != nil {
			return err
		}
	}
	return nil
}

// leftBehind is what a launch says when the verdict is known and the leftovers
// could not be removed.
func (d *drive) leftBehind(cause error) error {
	r := d.claim.Run()
	return &LeftoversError{Run: r, Err: cause}
}

// close ends a run's life.
func (d *drive) close(ctx context.Context) error {
	return d.claim.Update(ctx, runs.Relaxed, func(r *runs.Run) ([]runs.Event, error) {
		r.State = runs.Closed
		return nil, nil
	})
}
