package trace

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/runs"
)

const (
	// eventsMost bounds the events of one span; 128 is OpenTelemetry's own
	// default limit. The first ones stay: they say how it came to the rest.
	eventsMost = 128
	// textMost bounds a text in bytes.
	textMost = 1 << 10
)

// Kinds of events of package launch that the tree is made of.
const (
	kindPhase      = "phase"
	kindCancelling = "cancelling"
	kindEnded      = "ended"
	kindAgain      = "again"
	kindDetached   = "detached"
)

// Build makes the trace of a run from its record and all of its events. A run
// that is not closed gets spans that end where its record ends.
func Build(r *runs.Run, events []runs.Event) *Trace {
	b := &builder{r: r, hide: filter(r), cur: -1}
	for i := range r.Attempts {
		b.attempts = append(b.attempts, &attempt{Attempt: &r.Attempts[i]})
	}
	events = slices.Clone(events)
	slices.SortStableFunc(events, func(x, y runs.Event) int { return cmp.Compare(x.Seq, y.Seq) })
	b.end = r.ClosedAt
	if b.end.IsZero() {
		b.end = latest(r.CreatedAt, r.UpdatedAt)
		if n := len(events); n > 0 {
			b.end = latest(b.end, events[n-1].At)
		}
	}
	b.begin()
	for _, e := range events {
		b.read(e)
	}
	b.bounds()
	t := &Trace{ID: IDOf(r.ID), Spans: []Span{b.root}}
	for _, a := range b.attempts {
		t.Spans = append(t.Spans, b.spans(a)...)
	}
	return t
}

// builder reads the events of a run in their order.
type builder struct {
	r    *runs.Run
	hide func(string) string
	root Span
	end  time.Time

	attempts []*attempt
	// cur is the index of the attempt that the events are about; -1 before the
	// first one.
	cur int
	// retry: the event before said that an attempt is over and another follows.
	retry bool
}

// begin makes the span of the run.
func (b *builder) begin() {
	r := b.r
	b.root = Span{ID: spanID(r.ID, "run"), Name: "run", Kind: KindInternal, Start: r.CreatedAt, End: latest(b.end, r.CreatedAt)}
	if r.Step != "" {
		b.root.Name = "run " + problem.Bound(r.Step, textMost)
	}
	b.root.text("stephost.run", r.ID)
	b.root.text("stephost.token", r.Token)
	b.root.text("stephost.step", r.Step)
	b.root.text("stephost.pipeline", r.Pipeline)
	b.root.text("stephost.pipeline_run", r.PipelineRun)
	b.root.text("stephost.operator", r.Operator)
	b.root.text("stephost.flavor", r.Pin.Flavor)
	b.root.text("stephost.flavor_version", r.Pin.Version)
	b.root.text("stephost.state", string(r.State))
	b.root.add("stephost.attempts", int64(len(r.Attempts)))
	b.conclude(&b.root, r.Verdict)
}

// stateData is what the store says of a change of state.
type stateData struct {
	From    runs.State `json:"from"`
	To      runs.State `json:"to"`
	Attempt int        `json:"attempt"`
}

// read takes the next event.
func (b *builder) read(e runs.Event) {
	retry := b.retry
	b.retry = false
	switch e.Kind {
	case runs.EventCreated, runs.EventReleased:
		// Both ends of an owner's part are told by the span and by the next claim.
	case runs.EventClaimed, runs.EventCancel, kindDetached, kindAgain:
		b.note(&b.root, e.Kind, e)
	case runs.EventReopened:
		b.note(&b.root, e.Kind, e)
		b.next(e.At)
	case kindEnded:
		if a := b.current(); a != nil {
			b.note(&a.span, e.Kind, e)
		}
		b.next(e.At)
		b.retry = true
	case kindPhase:
		b.phase(e)
	case kindCancelling:
		if a := b.current(); a != nil {
			a.observe("cancelling", e.At)
			b.note(&a.span, "cancel sent", e)
		}
	case runs.EventState:
		if retry {
			b.note(&b.root, "retry", e)
			return
		}
		b.state(e)
	default: // words of a newer version
		if a := b.current(); a != nil {
			b.note(&a.span, e.Kind, e)
		} else {
			b.note(&b.root, e.Kind, e)
		}
	}
}

// next goes on to the next attempt, which begins with the end of the one before.
func (b *builder) next(at time.Time) {
	if a := b.current(); a != nil && a.end.IsZero() {
		a.end = at
	}
	b.reach(b.cur+1, at)
}

// reach goes on to an attempt by its index, not backwards.
func (b *builder) reach(i int, at time.Time) *attempt {
	if i > b.cur && i < len(b.attempts) {
		b.cur = i
		if a := b.attempts[i]; a.start.IsZero() {
			a.start = at
		}
	}
	return b.current()
}

func (b *builder) current() *attempt {
	if b.cur < 0 {
		return nil
	}
	return b.attempts[b.cur]
}

// state takes a change of state. What has a time in the record is no event
// here; what a person must know is one.
func (b *builder) state(e runs.Event) {
	var d stateData
	_ = json.Unmarshal(e.Data, &d) // an event without data has only its text
	a := b.reach(max(d.Attempt-1, 0), e.At)
	if a == nil {
		return
	}
	switch d.To {
	case runs.Drained:
		a.drained = e.At
	case runs.Cleaned:
		a.cleaned = e.At
	case runs.Closed:
		a.end = e.At
	case runs.Unknown, runs.Blocked:
		b.note(&a.span, string(d.To), e)
	case "":
		name := "state"
		if s := b.r.State; (s == runs.Unknown || s == runs.Blocked) && e.Message == b.r.StateReason {
			name = string(s)
		}
		b.note(&a.span, name, e)
	}
}

// phase takes what the backend reported.
func (b *builder) phase(e runs.Event) {
	n, word := phaseOf(e)
	a := b.current()
	if n > 0 {
		a = b.reach(n-1, e.At)
		if n <= len(b.attempts) {
			a = b.attempts[n-1]
		}
	}
	if a == nil {
		return
	}
	if !a.observe(word, e.At) {
		b.note(&a.span, "status", e)
	}
}

// note adds an event to a span.
func (b *builder) note(s *Span, name string, e runs.Event) {
	if len(s.Events) == eventsMost {
		s.DroppedEvents++
		return
	}
	n := Event{At: e.At, Name: problem.Bound(name, textMost)}
	if text := problem.Bound(b.hide(e.Message), textMost); text != "" {
		n.Attributes = append(n.Attributes, Attribute{"stephost.message", text})
	}
	if e.Actor != "" {
		n.Attributes = append(n.Attributes, Attribute{"stephost.actor", problem.Bound(e.Actor, textMost)})
	}
	s.Events = append(s.Events, n)
}

// conclude says how a span ended.
func (b *builder) conclude(s *Span, v *runs.Verdict) {
	if v == nil {
		return
	}
	s.text("stephost.class", v.Class)
	if v.ExitCode != nil {
		s.add("stephost.exit_code", int64(*v.ExitCode))
	}
	s.text("stephost.signal", v.Signal)
	if v.CancelUnconfirmed {
		s.add("stephost.cancel_unconfirmed", true)
	}
	if v.Class == runs.ClassSucceeded {
		s.Status = StatusOK
		return
	}
	s.text("error.type", v.Class)
	s.Status, s.Message = StatusError, b.verdictText(v)
}

// verdictText is a verdict in one line.
func (b *builder) verdictText(v *runs.Verdict) string {
	text := v.Phase
	if v.Class != v.Phase {
		text = join(text, ", ", "class "+v.Class)
	}
	if v.ExitCode != nil {
		text = join(text, ", ", fmt.Sprintf("exit code %d", *v.ExitCode))
	}
	text = join(text, ", ", v.Signal)
	text = join(text, ": ", b.hide(v.Reason))
	return problem.Bound(join(text, ": ", b.hide(v.Message)), textMost)
}

func join(a, between, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + between + b
}

func (s *Span) add(key string, value any) { s.Attributes = append(s.Attributes, Attribute{key, value}) }

// text adds an attribute that has a value.
func (s *Span) text(key, value string) {
	if value != "" {
		s.add(key, problem.Bound(value, textMost))
	}
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
