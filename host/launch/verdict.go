package launch

import (
	"context"
	"fmt"
	"time"

	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/internal/failpoint"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// concluded takes the backend's last word about the current attempt.
func (d *drive) concluded(ctx context.Context, t *operatorv1.Terminal) error {
	failpoint.Hit("host-ended")
	v := verdictOf(t, d.s.o.Now())
	return d.end(ctx, v, func(a *runs.Attempt) {
		a.Phase, a.Reason, a.Message = v.Phase, v.Reason, v.Message
		a.NativeState = t.GetNativeState()
		a.Restarts = max(a.Restarts, t.GetRestarts())
		if t.GetStartedAt() != nil {
			a.StartedAt = t.GetStartedAt().AsTime()
		}
		a.EndedAt = v.At
		if t.GetEndedAt() != nil {
			a.EndedAt = t.GetEndedAt().AsTime()
		}
		if !a.CancelSentAt.IsZero() {
			a.CancelConfirmedAt = d.s.o.Now()
		}
	})
}

// endUnsubmitted ends an attempt of which the backend certainly holds nothing.
func (d *drive) endUnsubmitted(ctx context.Context, j rejection) error {
	v := runs.Verdict{Class: string(j.class), Phase: phaseFailed, Reason: j.reason, Message: problem.Bound(j.message, 4<<10), At: d.s.o.Now()}
	if j.class == problem.Cancelled {
		v.Phase = phaseCancelled
	}
	return d.end(ctx, v, func(*runs.Attempt) {})
}

// end stores how the current attempt ended: as the run's verdict, or together
// with the row of the next attempt.
func (d *drive) end(ctx context.Context, v runs.Verdict, put func(*runs.Attempt)) error {
	retry := retries(d.claim.Run(), d.plan.Step.Retry, v.Class)
	if retry {
		// The tail of the log first: with the next attempt stored nobody would
		// come back for it. A crash here asks the backend again.
		if err := d.drainLog(ctx); err != nil {
			return err
		}
	}
	failpoint.Hit("host-concluding")
	err := d.claim.Update(ctx, runs.Durable, func(r *runs.Run) ([]runs.Event, error) {
		a := current(r)
		put(a)
		final := explainCancel(v, r.Intent)
		a.Verdict = &final
		if retry && r.Intent == nil {
			n := len(r.Attempts) + 1
			r.Attempts = append(r.Attempts, runs.Attempt{Number: n, Key: Key(r.Token, n)})
			r.State, r.StateReason = runs.Preparing, ""
			return []runs.Event{
				event("ended", "attempt %d: %s", n-1, verdictText(final)),
				moved("attempt %d follows: class %s has attempts left", n, final.Class),
			}, nil
		}
		r.Verdict = &final
		r.State, r.StateReason = runs.Ended, ""
		return []runs.Event{moved("%s", verdictText(final))}, nil
	})
	if err != nil {
		return err
	}
	failpoint.Hit("host-concluded")
	r := d.claim.Run()
	if r.Verdict == nil {
		d.resubmits = 0
		d.notify(Notice{Kind: Warning, Phase: "preparing", Message: fmt.Sprintf("attempt %d ended (%s); trying again", len(r.Attempts)-1, verdictText(v))})
		if d.logs != nil {
			d.logs.stop()
			d.logs = nil
		}
	}
	return nil
}

// explainCancel gives a cancelled job the reason for which it was cancelled.
// Everything else is the backend's own verdict, whatever was wanted meanwhile:
// the job may have ended a moment before.
func explainCancel(v runs.Verdict, in *runs.Intent) runs.Verdict {
	if v.Phase != phaseCancelled || in == nil {
		return v
	}
	v.Class = string(classOfIntent(in))
	switch in.Cause {
	case runs.CauseProvisioning:
		v.Reason, v.Message = "provisioning timeout", orElse(v.Message, "the job did not start in time")
	case runs.CauseRun:
		v.Reason, v.Message = "run timeout", orElse(v.Message, "the job ran longer than timeouts.run")
	case runs.CauseTotal:
		v.Reason, v.Message = "total timeout", orElse(v.Message, "all attempts together took longer than timeouts.total")
	}
	return v
}

func classOfIntent(in *runs.Intent) problem.Class {
	switch in.Cause {
	case runs.CauseProvisioning, runs.CauseRun, runs.CauseTotal:
		return problem.Timeout
	default:
		return problem.Cancelled
	}
}

// verdictOf turns the contract's terminal event into a record.
func verdictOf(t *operatorv1.Terminal, now time.Time) runs.Verdict {
	v := runs.Verdict{
		Class: string(classOf(t.GetClass(), problem.System)), Signal: t.GetSignal(), Phase: phaseWord(t.GetPhase()),
		Reason: t.GetReason(), Message: problem.Bound(t.GetMessage(), 4<<10), At: now,
	}
	if t.ExitCode != nil {
		code := int(t.GetExitCode())
		v.ExitCode = &code
	}
	for _, o := range t.GetOutputs() {
		v.Outputs = append(v.Outputs, runs.Output{Name: o.GetName(), Location: o.GetLocation(), Bytes: o.GetBytes()})
	}
	switch t.GetPhase() {
	case operatorv1.Phase_PHASE_SUCCEEDED:
		v.Class = runs.ClassSucceeded
	case operatorv1.Phase_PHASE_CANCELLED:
		v.Class = string(problem.Cancelled)
	case operatorv1.Phase_PHASE_LOST:
		v.Class = string(problem.Lost)
	case operatorv1.Phase_PHASE_FAILED:
		if t.GetClass() == operatorv1.Class_CLASS_UNSPECIFIED && v.ExitCode != nil {
			v.Class = string(problem.User)
		}
	default:
		v.Phase, v.Class = phaseFailed, string(problem.System)
		v.Message = problem.Bound("the plugin ended the watch with a phase that this version does not know. "+v.Message, 4<<10)
	}
	return v
}

// classOf is the word of a class; fallback where the plugin named none, system
// where this version does not know it.
func classOf(c operatorv1.Class, fallback problem.Class) problem.Class {
	switch c {
	case operatorv1.Class_CLASS_UNSPECIFIED:
		return fallback
	case operatorv1.Class_CLASS_USER:
		return problem.User
	case operatorv1.Class_CLASS_CONFIG:
		return problem.Config
	case operatorv1.Class_CLASS_CAPACITY:
		return problem.Capacity
	case operatorv1.Class_CLASS_PREEMPTED:
		return problem.Preempted
	case operatorv1.Class_CLASS_TIMEOUT:
		return problem.Timeout
	case operatorv1.Class_CLASS_CANCELLED:
		return problem.Cancelled
	case operatorv1.Class_CLASS_LOST:
		return problem.Lost
	case operatorv1.Class_CLASS_AUTH:
		return problem.Auth
	default:
		return problem.System
	}
}

// retries tells whether the class of the current attempt's end has a next
// attempt left. Lost, unknown, cancelled, timeout and config never have.
func retries(r *runs.Run, budget project.Retry, class string) bool {
	if r.Intent != nil {
		return false
	}
	left := map[problem.Class]int{
		problem.Preempted: budget.Preempted, problem.Capacity: budget.Capacity,
		problem.System: budget.System, problem.User: budget.User,
	}[problem.Class(class)]
	for _, a := range r.Attempts {
		if a.Verdict != nil && a.Verdict.Class == class {
			left--
		}
	}
	return left > 0
}

// verdictText is a verdict in one line.
func verdictText(v runs.Verdict) string {
	text := v.Phase
	if v.Class != runs.ClassSucceeded && v.Class != v.Phase {
		text += ", class " + v.Class
	}
	if v.ExitCode != nil {
		text += fmt.Sprintf(", exit code %d", *v.ExitCode)
	}
	if v.Signal != "" {
		text += ", " + v.Signal
	}
	if v.Reason != "" || v.Message != "" {
		text += ": " + v.Reason
		if v.Reason != "" && v.Message != "" {
			text += ": "
		}
		text += v.Message
	}
	return problem.Bound(text, 1<<10)
}
