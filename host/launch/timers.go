package launch

import (
	"time"

	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/runs"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// timers are the limits of one attempt, as wall-clock instants. They decide on
// confirmed states only.
type timers struct {
	limits    project.Timeouts
	created   time.Time // of the run: total counts over all attempts
	submitted time.Time // of the attempt

	phase      string
	since      time.Time
	startedAt  time.Time
	observedAt time.Time
}

// CancelBound is how long a cancel may stay unconfirmed, also where the step says
// nothing of it.
func CancelBound(t project.Timeouts) time.Duration {
	if t.Cancel > 0 {
		return t.Cancel
	}
	return cancelDefault
}

// DrainBound is the same for the end of the log after the verdict.
func DrainBound(t project.Timeouts) time.Duration {
	if t.LogDrain > 0 {
		return t.LogDrain
	}
	return drainDefault
}

// Pauses of a due timer between two requests for a fresh state.
const dueAgain = 5 * time.Second

// never is how long a timer without a deadline sleeps.
const never = 24 * time.Hour

func (d *drive) newTimers() *timers {
	r, a := d.claim.Run(), d.attempt()
	return &timers{limits: d.plan.Step.Timeouts, created: r.CreatedAt, submitted: a.SubmittedAt,
		phase: orElse(a.Phase, "submitted"), since: a.PhaseSince, startedAt: a.StartedAt, observedAt: a.ObservedAt}
}

// observe takes a status. The backend's own timestamps count; at stands in
// where it gives none.
func (t *timers) observe(s *operatorv1.Status, at time.Time) {
	t.observedAt = at
	if s.GetObservedAt() != nil {
		t.observedAt = s.GetObservedAt().AsTime()
	}
	since := at
	if s.GetPhaseSince() != nil {
		since = s.GetPhaseSince().AsTime()
	}
	if word := phaseWord(s.GetPhase()); word != "" && word != t.phase {
		t.phase, t.since = word, since
	}
	switch s.GetPhase() {
	case operatorv1.Phase_PHASE_RUNNING:
		if t.startedAt.IsZero() {
			t.startedAt = since
		}
	case operatorv1.Phase_PHASE_QUEUED, operatorv1.Phase_PHASE_PROVISIONING:
		// A restarted job waits again; its run limit goes on, its provisioning
		// limit starts with the phase.
		if !t.startedAt.IsZero() {
			t.submitted = since
		}
	}
}

// deadline is the next limit and its cause; zero when there is none.
func (t *timers) deadline() (time.Time, string) {
	var at time.Time
	cause := ""
	take := func(base time.Time, limit time.Duration, why string) {
		if limit <= 0 || base.IsZero() {
			return
		}
		if end := base.Add(limit); at.IsZero() || end.Before(at) {
			at, cause = end, why
		}
	}
	if t.phase != phaseRunning && t.phase != phaseCancelling {
		take(t.submitted, t.limits.Provisioning, runs.CauseProvisioning)
	}
	take(t.startedAt, t.limits.Run, runs.CauseRun)
	take(t.created, t.limits.Total, runs.CauseTotal)
	return at, cause
}

// bound is when the present wait ends at the latest, zero when never.
func (t *timers) bound() time.Time {
	at, _ := t.deadline()
	return at
}

// next is how long to sleep until the next deadline.
func (t *timers) next(now time.Time) time.Duration {
	at, cause := t.deadline()
	if cause == "" {
		return never
	}
	return max(at.Sub(now), time.Millisecond)
}

// again is how long to wait for the answer of a fresh question.
func (t *timers) again() time.Duration { return dueAgain }

// expired is the cause of a cancel when a limit was over at the confirmed
// instant.
func (t *timers) expired(confirmed time.Time) string {
	at, cause := t.deadline()
	if cause == "" || confirmed.Before(at) {
		return ""
	}
	return cause
}

// The words of phases in records, notices and results.
const (
	phaseQueued       = "queued"
	phaseProvisioning = "provisioning"
	phaseRunning      = "running"
	phaseCancelling   = "cancelling"
	phaseSucceeded    = "succeeded"
	phaseFailed       = "failed"
	phaseCancelled    = "cancelled"
	phaseLost         = "lost"
)

// phaseWord is "" for a phase that this version does not know: the last known
// one is kept.
func phaseWord(p operatorv1.Phase) string {
	switch p {
	case operatorv1.Phase_PHASE_QUEUED:
		return phaseQueued
	case operatorv1.Phase_PHASE_PROVISIONING:
		return phaseProvisioning
	case operatorv1.Phase_PHASE_RUNNING:
		return phaseRunning
	case operatorv1.Phase_PHASE_CANCELLING:
		return phaseCancelling
	case operatorv1.Phase_PHASE_SUCCEEDED:
		return phaseSucceeded
	case operatorv1.Phase_PHASE_FAILED:
		return phaseFailed
	case operatorv1.Phase_PHASE_CANCELLED:
		return phaseCancelled
	case operatorv1.Phase_PHASE_LOST:
		return phaseLost
	default:
		return ""
	}
}
