package trace

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stephost/stephost/host/runs"
)

// phasesMost bounds the phase spans of one attempt: a job that is preempted
// again and again for days stays a trace that can be looked at. What comes
// later is told by events.
const phasesMost = 100

// attempt is one attempt with what the events say of it.
type attempt struct {
	*runs.Attempt
	span             Span // its events are collected here
	start, end       time.Time
	phases           []phase
	drained, cleaned time.Time
}

// phase of a job, from when on.
type phase struct {
	word  string
	start time.Time
}

// observe takes a phase that was seen at an instant; it tells whether it is a
// new one. What a backend reports behind a cancel is no way back.
func (a *attempt) observe(word string, at time.Time) bool {
	if n := len(a.phases); word == "" || n == phasesMost || n > 0 && (a.phases[n-1].word == word || a.phases[n-1].word == "cancelling") {
		return false
	}
	a.phases = append(a.phases, phase{word, at})
	return true
}

// phaseOf reads attempt and phase of an event: from its data, else from its
// text "attempt 2 is running: ...". Both are zero where it says none.
func phaseOf(e runs.Event) (n int, word string) {
	var d struct {
		Attempt int    `json:"attempt"`
		Phase   string `json:"phase"`
	}
	if json.Unmarshal(e.Data, &d) != nil || d.Phase == "" {
		number, rest, _ := strings.Cut(strings.TrimPrefix(e.Message, "attempt "), " is ")
		d.Attempt, _ = strconv.Atoi(number)
		d.Phase, _, _ = strings.Cut(rest, ":")
	}
	switch d.Phase {
	case "queued", "provisioning", "running", "cancelling":
		return max(d.Attempt, 0), d.Phase
	}
	return max(d.Attempt, 0), ""
}

// bounds gives each attempt its beginning and its end, one behind the other,
// within the run.
func (b *builder) bounds() {
	from := b.root.Start
	for i, a := range b.attempts {
		if a.start.IsZero() && (i == 0 || b.attempts[i-1].Verdict == nil) {
			a.start = a.SubmittingAt
		}
		a.start = within(a.start, from, b.root.End)
		if a.end.IsZero() && i < len(b.attempts)-1 && a.Verdict != nil {
			a.end = a.Verdict.At
		}
		if a.end.IsZero() && i < len(b.attempts)-1 {
			a.end = b.attempts[i+1].start
		}
		if a.end.IsZero() && i == len(b.attempts)-1 {
			a.end = b.root.End
		}
		a.end = within(a.end, a.start, b.root.End)
		from = a.end
	}
}

// spans are those of an attempt: its own and what it went through.
func (b *builder) spans(a *attempt) []Span {
	path := fmt.Sprintf("attempt/%d", a.Number)
	s := &a.span
	s.ID, s.Parent, s.Name, s.Kind = spanID(b.r.ID, path), b.root.ID, fmt.Sprintf("attempt %d", a.Number), KindInternal
	s.Start, s.End = a.start, a.end
	s.add("stephost.attempt", int64(a.Number))
	s.text("stephost.key", a.Key)
	s.text("stephost.native_name", b.hide(a.NativeName))
	if a.Existing {
		s.add("stephost.existing", true)
	}
	if a.Restarts > 0 {
		s.add("stephost.restarts", int64(a.Restarts))
	}
	b.conclude(s, a.Verdict)
	if a.Verdict == nil {
		s.text("stephost.resolution", b.hide(a.Resolution))
	}

	out := []Span{*s}
	count := map[string]int{} // of a name: a span keeps its ID when others come
	child := func(name string, kind Kind, start, end time.Time) {
		start = within(start, a.start, a.end)
		out = append(out, Span{ID: spanID(b.r.ID, fmt.Sprintf("%s/%s/%d", path, name, count[name])), Parent: s.ID, Name: name, Kind: kind,
			Start: start, End: within(end, start, a.end), Attributes: []Attribute{{"stephost.attempt", int64(a.Number)}}})
		count[name]++
	}
	over := a.end
	if a.Verdict != nil {
		over = a.Verdict.At
	}
	if a.SubmittingAt.IsZero() && a.Verdict == nil && a.Resolution != "" {
		return out // another home's: only that it was there is known
	}
	child("preparing", KindInternal, a.start, first(a.SubmittingAt, over))
	if !a.SubmittingAt.IsZero() {
		child("submitting", KindClient, a.SubmittingAt, first(a.SubmittedAt, over))
	}
	phases := a.timeline()
	for i, p := range phases {
		// The backend's clock may be ahead of this machine's.
		end := within(first(a.EndedAt, over), a.start, over)
		switch {
		case i < len(phases)-1:
			end = phases[i+1].start
		case p.word == "cancelling":
			end = first(a.CancelConfirmedAt, over)
		}
		child(p.word, KindInternal, p.start, end)
	}
	b.after(a, child)
	return out
}

// after adds what follows a verdict: the rest of the log, the removal of
// leftovers.
func (b *builder) after(a *attempt, child func(string, Kind, time.Time, time.Time)) {
	if a.Verdict == nil {
		return
	}
	last := a.Number == len(b.attempts)
	began := a.Verdict.At
	if last {
		began = first(b.r.VerdictAt, began)
	}
	if !a.drained.IsZero() || last && b.r.State == runs.Ended {
		child("draining", KindInternal, began, first(a.drained, b.end))
	}
	if !a.drained.IsZero() && (!a.cleaned.IsZero() || last && b.r.State == runs.Drained) {
		child("cleanup", KindInternal, a.drained, first(a.cleaned, b.end))
	}
}

// timeline is the phases with the record's own times, which are the backend's
// where it gave any: events are stored a moment later.
func (a *attempt) timeline() []phase {
	list := slices.Clone(a.phases)
	has := func(word string) bool {
		return slices.ContainsFunc(list, func(p phase) bool { return p.word == word })
	}
	// A job may be over before the first status was stored.
	if !a.CancelSentAt.IsZero() && !has("cancelling") {
		list = append(list, phase{"cancelling", a.CancelSentAt})
	}
	if !a.StartedAt.IsZero() && !has("running") {
		i := len(list)
		if i > 0 && list[i-1].word == "cancelling" {
			i--
		}
		list = slices.Insert(list, i, phase{"running", a.StartedAt})
	}
	from := first(a.SubmittedAt, a.start)
	ran := false
	for i := range list {
		p := &list[i]
		seen := p.start
		switch {
		case p.word == "cancelling":
			p.start = first(a.CancelSentAt, p.start)
		case p.word == "running" && !ran:
			p.start = first(a.StartedAt, p.start)
		case i == 0:
			p.start = from // nothing says when it began to wait, if not at once
		case i == len(list)-1:
			p.start = first(a.PhaseSince, p.start) // PhaseSince is the last status's
		}
		ran = ran || p.word == "running"
		if i > 0 {
			from = list[i-1].start
		}
		p.start = within(p.start, from, latest(seen, from))
	}
	return list
}

// first is the first time that is set.
func first(times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// within is t, or the nearer bound.
func within(t, from, to time.Time) time.Time {
	switch {
	case t.Before(from):
		return from
	case t.After(to):
		return to
	default:
		return t
	}
}
