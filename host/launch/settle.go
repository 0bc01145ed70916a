package launch

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/stephost/stephost/host/manifest"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/runs"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// resubmitMost bounds how often one attempt is sent again under its key within
// one drive. A backend that takes a job and never lists it must end as unknown,
// not as a loop.
const resubmitMost = 5

// askMost bounds how long a drive keeps asking about an undecided submission
// while the backend gives no answer at all. The run stays as it is; every later
// command asks again.
const askMost = 10 * time.Minute

// lateArrival is how long after its sender's end a request may still reach the
// backend: a plugin lets a Submit finish for 10 s when its host is gone.
const lateArrival = 15 * time.Second

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

// resubmittable tells whether sending the same key again cannot make a second
// job: the backend takes keys, and nothing can have freed this one since the
// first try.
func resubmittable(sub manifest.Submission, a *runs.Attempt, now time.Time) bool {
	if sub.Idempotency != "key" {
		return false
	}
	switch sub.KeyLives {
	case "forever":
		return true
	case "while_exists":
		// The job object exists at least as long as the flavor promises to keep
		// it; RECORD cleanup waits for as long.
		return now.Sub(a.SubmittingAt) < sub.Keeps
	default: // while_running: the job may have ended already
		return false
	}
}

// settle decides an attempt of which it is not known whether the backend has
// it: the state is `submitting` or `unknown`.
func (d *drive) settle(ctx context.Context) error {
	d.doubt = d.s.o.Now() // when its last request was sent is not known
	return d.settleAfter(ctx, "the process that sent it ended before it had the answer")
}

func (d *drive) settleAfter(ctx context.Context, reason string) error {
	if err := d.open(ctx); err != nil {
		return err
	}
	target, err := d.target(ctx)
	if err != nil {
		return err
	}
	sub := d.flavor.Manifest.Submission
	if !d.flavor.Manifest.Can("find") {
		if d.refused == nil && resubmittable(sub, d.attempt(), d.s.o.Now()) {
			return d.resubmit(ctx, target)
		}
		return d.unknown(ctx, reason+"; this flavor cannot search for jobs")
	}
	var (
		started    = d.s.o.Now()
		settled    = started.Add(max(sub.Settle, 0))
		again      = newBackoff()
		wait       time.Duration
		unanswered time.Time
		// wanted is when this loop first saw that the run is to be cancelled. The times
		// of records are not used: another clock, or this one before it was set back,
		// has written them.
		wanted time.Time
	)
	again.InitialInterval = settleFirst
	for {
		// A cancel intent of another process counts from here on.
		if _, err := d.claim.Refresh(ctx); err != nil {
			return err
		}
		resp, err := d.find(ctx, target, &operatorv1.FindRequest{Target: target, By: &operatorv1.FindRequest_Key{Key: d.attempt().Key}})
		now := d.s.o.Now()
		switch {
		case err != nil:
			return err
		case resp.GetCouldNotAsk() != nil:
			cause := couldNotAsk(resp.GetCouldNotAsk())
			if unanswered.IsZero() {
				unanswered = now
			}
			if !cause.passes() || now.Sub(unanswered) > askMost {
				return d.couldNotAskProblem("looking for the job", cause)
			}
			// Time in which nobody answered does not count as settling.
			settled = settled.Add(wait)
			d.hindered(ctx, Notice{Kind: Status, Phase: "submitting", Reason: "unreachable", Message: cause.Error(), Since: unanswered})
			wait = max(again.NextBackOff(), resp.GetCouldNotAsk().GetRetryAfter().AsDuration())
		default:
			unanswered = time.Time{}
			job := jobWithKey(resp, d.attempt().Key)
			switch {
			case resp.GetOutcome() == operatorv1.FindResponse_OUTCOME_FOUND && job != nil:
				if got, want := job.GetRequestDigest(), d.attempt().RequestDigest; got != "" && got != want {
					return d.unknown(ctx, fmt.Sprintf("a job with this key exists (%s), but it was made from another request", job.GetNativeName()))
				}
				if job.GetIncomplete() && len(d.attempt().Request) == 0 {
					return d.unknown(ctx, "another stephost has submitted this run and not finished it")
				}
				if job.GetIncomplete() && d.claim.Run().Intent == nil {
					return d.resubmit(ctx, target)
				}
				return d.accepted(ctx, job.GetHandle(), found{existing: true, url: job.GetUrl(), name: job.GetNativeName()})
			case resp.GetOutcome() == operatorv1.FindResponse_OUTCOME_ABSENT && resubmittable(sub, d.attempt(), now) && d.claim.Run().State == runs.Submitting:
				in := d.claim.Run().Intent
				if in == nil && d.refused == nil {
					return d.resubmit(ctx, target)
				}
				if in != nil && wanted.IsZero() {
					wanted = now
				}
				// Nothing is sent again for a run that is to be cancelled, or that the
				// backend refuses now. What is still absent when the last request in
				// flight must have arrived or died was never there.
				if now.Sub(latest(d.doubt, wanted)) > sub.Settle+lateArrival {
					if in == nil {
						return d.endUnsubmitted(ctx, *d.refused)
					}
					return d.endUnsubmitted(ctx, rejection{class: classOfIntent(in), phase: "submitting",
						message: "cancelled before the backend had the job"})
				}
				settled = latest(settled, now.Add(time.Second))
			}
			if now.After(settled) {
				return d.unknown(ctx, fmt.Sprintf("%s, and the backend does not list a job with key %s after %s", reason, d.attempt().Key, sub.Settle))
			}
			wait = min(max(again.NextBackOff(), resp.GetAskAgainAfter().AsDuration()), settled.Sub(now)+time.Millisecond)
			d.notify(Notice{Kind: Status, Phase: "submitting", Reason: "settling", Since: started, Until: settled,
				Message: "waiting until the backend would list the job"})
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

// find asks once, repeating only what the transport lost.
func (d *drive) find(ctx context.Context, target *operatorv1.Target, req *operatorv1.FindRequest) (*operatorv1.FindResponse, error) {
	var resp *operatorv1.FindResponse
	err := d.backend.ask(ctx, askBound, func(err error) {
		d.hindered(ctx, Notice{Kind: Status, Phase: "submitting", Reason: "unreachable", Message: err.Error()})
	}, func(ctx context.Context, c operatorv1.StepOperatorClient) (err error) {
		resp, err = c.Find(ctx, req)
		return err
	})
	return resp, err
}

func jobWithKey(resp *operatorv1.FindResponse, key string) *operatorv1.FindResponse_Job {
	for _, j := range resp.GetJobs() {
		if j.GetKey() == key {
			return j
		}
	}
	return nil
}

// resubmit sends the request again after an answer was lost.
func (d *drive) resubmit(ctx context.Context, target *operatorv1.Target) error {
	if d.resubmits++; d.resubmits > resubmitMost {
		return d.unknown(ctx, fmt.Sprintf("the request was sent %d times and the backend never confirmed it", resubmitMost))
	}
	if d.resubmits > 1 {
		// Whatever hindered it twice may take a moment to pass.
		if err := pause(ctx, askAgainFirst<<d.resubmits); err != nil {
			return err
		}
	}
	return d.resend(ctx, target)
}

// resend sends the stored request, byte for byte.
func (d *drive) resend(ctx context.Context, target *operatorv1.Target) error {
	a := d.attempt()
	step := &operatorv1.Step{}
	if err := proto.Unmarshal(a.Request, step); err != nil {
		return &problem.Error{Summary: "the stored request of this run cannot be read", Run: d.id, Err: err,
			Next: "use the stephost version that launched it"}
	}
	return d.submit(ctx, &operatorv1.SubmitRequest{Target: target, Step: step, Prepared: a.Prepared, RequestDigest: a.RequestDigest}, false)
}

// unknown stores that nothing can be said, and ends this drive.
func (d *drive) unknown(ctx context.Context, reason string) error {
	if err := d.claim.Update(ctx, runs.Durable, func(r *runs.Run) ([]runs.Event, error) {
		r.State, r.StateReason = runs.Unknown, problem.Bound(reason, 1<<10)
		return []runs.Event{moved("%s", reason)}, nil
	}); err != nil {
		return err
	}
	r := d.claim.Run()
	if r.Intent != nil {
		return &UnconfirmedError{Run: r, Reason: "submission unknown: " + reason}
	}
	return &UnknownError{Run: r, Reason: reason,
		LookFor: fmt.Sprintf("Look in %s for a job with the key %s (run token %q)", r.Pin.ScopeDisplay, d.attempt().Key, r.Token)}
}

// mayExistElsewhere tells whether a job of this attempt, or of a later one, may exist
// that this home does not know: the token was given, and another home may have been
// asked for the same. Of an attempt that follows by itself the answer of Submit tells.
func (d *drive) mayExistElsewhere() bool {
	r := d.claim.Run()
	return r.TokenGiven && (len(r.Attempts) == 1 && !d.plan.First || d.asked())
}

// asked tells whether a person asked for another attempt where the last one ended
// without success.
func (d *drive) asked() bool {
	return d.attempt().Asked || d.plan.Again && len(d.claim.Run().Attempts) == 1
}

// adopt asks the backend for jobs of the run's token and takes over the newest
// one, unless it is of an attempt that is over here. It tells whether there was one.
func (d *drive) adopt(ctx context.Context, target *operatorv1.Target) (bool, error) {
	r := d.claim.Run()
	if !d.flavor.Manifest.Can("find") {
		return false, &problem.Error{
			Summary: "this flavor cannot search for jobs, so a given run token might start a second one",
			Flavor:  r.Pin.Flavor, Operator: r.Operator, Run: r.ID, Phase: "preparing", Class: problem.Config,
			Next: "add --first when this is certainly the first launch with this token, or leave --run-token out",
		}
	}
	settled := d.s.o.Now().Add(d.flavor.Manifest.Submission.Settle)
	again := newBackoff()
	for {
		var resp *operatorv1.FindResponse
		err := d.untilAnswered(ctx, "looking for jobs of this run token", func(ctx context.Context, c operatorv1.StepOperatorClient) (*operatorv1.CouldNotAsk, error) {
			var err error
			resp, err = c.Find(ctx, &operatorv1.FindRequest{Target: target, By: &operatorv1.FindRequest_RunToken{RunToken: r.Token}})
			return resp.GetCouldNotAsk(), err
		})
		if err != nil {
			return false, err
		}
		switch resp.GetOutcome() {
		case operatorv1.FindResponse_OUTCOME_FOUND:
			// What was found is stored even when the launch is being ended: the job
			// exists, and a cancel must reach it.
			return d.adoptJobs(context.WithoutCancel(ctx), target, resp.GetJobs())
		case operatorv1.FindResponse_OUTCOME_ABSENT:
			return false, nil
		}
		if d.s.o.Now().After(settled) {
			return false, nil
		}
		if err := pause(ctx, max(again.NextBackOff(), resp.GetAskAgainAfter().AsDuration())); err != nil {
			return false, err
		}
	}
}

// adoptJobs makes the newest job of the token this run's current attempt. It tells
// whether it did: a job of an earlier attempt is none, and where a person asked for
// another attempt, one that ended without success is followed by it.
func (d *drive) adoptJobs(ctx context.Context, target *operatorv1.Target, jobs []*operatorv1.FindResponse_Job) (bool, error) {
	newest := slices.MaxFunc(jobs, func(a, b *operatorv1.FindResponse_Job) int { return int(a.GetAttempt()) - int(b.GetAttempt()) })
	n := int(newest.GetAttempt())
	if want := Key(d.claim.Run().Token, n); newest.GetKey() != want {
		return false, &problem.Error{Summary: "the backend holds a job with this run token under another key", Run: d.id, Phase: "preparing",
			Class: problem.Config, Detail: fmt.Sprintf("Attempt %d has the key %s, expected %s.", n, newest.GetKey(), want),
			Next: "use another --run-token"}
	}
	if n < d.attempt().Number {
		return false, nil
	}
	follows := d.asked() && endedBadly(newest.GetPhase())
	if follows {
		n++
	}
	for i := d.attempt().Number + 1; i <= n; i++ {
		// Attempts are added one at a time, each behind one that is over: that
		// is what the existence of a later one proves.
		if err := d.claim.Update(ctx, runs.Relaxed, func(r *runs.Run) ([]runs.Event, error) {
			current(r).Resolution = "followed by a later attempt at the backend"
			if follows && i == n {
				current(r).Resolution = "it has ended without success, as the backend says"
			}
			r.State = runs.Preparing
			r.Attempts = append(r.Attempts, runs.Attempt{Number: i, Key: Key(r.Token, i), Asked: follows && i == n})
			return nil, nil
		}); err != nil {
			return false, err
		}
	}
	if follows {
		return false, nil
	}
	return true, d.claim.Update(ctx, runs.Durable, func(r *runs.Run) ([]runs.Event, error) {
		a := current(r)
		if a.SubmittingAt.IsZero() {
			a.SubmittingAt, a.RequestDigest = d.s.o.Now(), newest.GetRequestDigest()
		}
		r.Pin.ScopeID, r.Pin.ScopeDisplay = target.GetScope().GetId(), target.GetScope().GetDisplay()
		if newest.GetIncomplete() {
			// Only who has the request can finish it: that is the other home.
			r.State, r.StateReason = runs.Unknown, "another stephost has submitted this run and not finished it"
			return []runs.Event{moved("%s", r.StateReason)}, nil
		}
		r.State = runs.Submitted
		a.SubmittedAt, a.Existing = d.s.o.Now(), true
		a.Handle, a.HandleVersion = newest.GetHandle().GetData(), newest.GetHandle().GetVersion()
		a.NativeName, a.URL = newest.GetNativeName(), newest.GetUrl()
		return []runs.Event{moved("attempt %d was found at the backend as %s", n, orElse(a.NativeName, a.Key))}, nil
	})
}

// endedBadly tells whether a job is over, and did not succeed.
func endedBadly(p operatorv1.Phase) bool {
	switch p {
	case operatorv1.Phase_PHASE_FAILED, operatorv1.Phase_PHASE_CANCELLED, operatorv1.Phase_PHASE_LOST:
		return true
	}
	return false
}
