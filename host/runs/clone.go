package runs

import (
	"maps"
	"slices"
	"time"
)

// clone copies a run so that changing the copy's fields, maps and attempts does
// not touch the original. Byte slices are shared: they are replaced, not
// written into.
func (r *Run) clone() *Run {
	c := *r
	c.Labels = maps.Clone(r.Labels)
	c.Values = maps.Clone(r.Values)
	c.Pin.SecretConfig = maps.Clone(r.Pin.SecretConfig)
	c.Pin.SecretSettings = maps.Clone(r.Pin.SecretSettings)
	c.Intent = pointer(r.Intent)
	c.Owner = pointer(r.Owner)
	c.Verdict = r.Verdict.clone()
	c.Attempts = slices.Clone(r.Attempts)
	for i := range c.Attempts {
		c.Attempts[i].Verdict = c.Attempts[i].Verdict.clone()
	}
	return &c
}

func (v *Verdict) clone() *Verdict {
	if v == nil {
		return nil
	}
	c := *v
	c.ExitCode = pointer(v.ExitCode)
	c.Outputs = slices.Clone(v.Outputs)
	return &c
}

func pointer[T any](p *T) *T {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}

// normalize gives all times the form that they will be read back in.
func (r *Run) normalize() {
	utc := func(times ...*time.Time) {
		for _, t := range times {
			*t = t.UTC().Round(0)
		}
	}
	utc(&r.CreatedAt, &r.UpdatedAt, &r.VerdictAt, &r.ClosedAt)
	if r.Intent != nil {
		utc(&r.Intent.At)
	}
	if r.Verdict != nil {
		utc(&r.Verdict.At)
	}
	for i := range r.Attempts {
		a := &r.Attempts[i]
		utc(&a.SubmittingAt, &a.SubmittedAt, &a.StartedAt, &a.EndedAt, &a.ObservedAt, &a.PhaseSince, &a.CancelSentAt, &a.CancelConfirmedAt)
		if a.Verdict != nil {
			utc(&a.Verdict.At)
		}
	}
}
