package trace_test

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/trace"
)

func span(t *testing.T, tr *trace.Trace, name string) trace.Span {
	t.Helper()
	for _, s := range tr.Spans {
		if s.Name == name {
			return s
		}
	}
	require.Fail(t, "no span "+name, "there are %v", names(tr))
	return trace.Span{}
}

func eventNames(s trace.Span) (out []string) {
	for _, e := range s.Events {
		out = append(out, e.Name)
	}
	return out
}

func TestStories(t *testing.T) {
	ok := runs.Verdict{Class: runs.ClassSucceeded, Phase: "succeeded", At: at(9)}
	refused := runs.Verdict{Class: "config", Phase: "failed", Message: "no such machine", At: at(3)}
	for _, tc := range []struct {
		name   string
		run    runs.Run
		events []runs.Event
		want   []string
		check  func(*testing.T, *trace.Trace)
	}{
		{"nothing yet", runs.Run{State: runs.Created}, nil, []string{"run"}, nil},
		{"record alone", runs.Run{State: runs.Closed, ClosedAt: at(12), Verdict: &ok, VerdictAt: at(9),
			Attempts: []runs.Attempt{{Number: 1, SubmittingAt: at(1), SubmittedAt: at(2), StartedAt: at(3), EndedAt: at(8), Verdict: &ok}}}, nil,
			[]string{"run", "attempt 1", "preparing", "submitting", "running"}, func(t *testing.T, tr *trace.Trace) {
				assert.Equal(t, at(8), span(t, tr, "running").End)
				assert.Equal(t, trace.StatusOK, tr.Spans[0].Status)
			}},
		{"refused before it was sent", runs.Run{State: runs.Ended, UpdatedAt: at(4), Verdict: &refused, VerdictAt: at(3),
			Attempts: []runs.Attempt{{Number: 1, Verdict: &refused}}},
			[]runs.Event{told(1, "", runs.EventState, "attempt 1 is being prepared")},
			[]string{"run", "attempt 1", "preparing", "draining"}, func(t *testing.T, tr *trace.Trace) {
				assert.Equal(t, at(3), span(t, tr, "preparing").End)
				assert.Equal(t, "failed, class config: no such machine", tr.Spans[0].Message)
			}},
		{"unknown, then found", runs.Run{State: runs.Submitted, UpdatedAt: at(30), Attempts: []runs.Attempt{{Number: 1, SubmittingAt: at(1), SubmittedAt: at(20)}}},
			[]runs.Event{told(0.5, "", runs.EventState, "attempt 1 is being prepared"), state(10, runs.Submitting, runs.Unknown, 1), state(20, runs.Unknown, runs.Submitted, 1)},
			[]string{"run", "attempt 1", "preparing", "submitting"}, func(t *testing.T, tr *trace.Trace) {
				assert.Equal(t, []string{"state", "unknown"}, eventNames(tr.Spans[1]))
				assert.Equal(t, at(20), span(t, tr, "submitting").End)
			}},
		{"blocked now", runs.Run{State: runs.Blocked, StateReason: "needs secret HF_TOKEN", UpdatedAt: at(2), Attempts: []runs.Attempt{{Number: 1}}},
			[]runs.Event{told(0.5, "", runs.EventState, "attempt 1 is being prepared"), told(2, "", runs.EventState, "needs secret HF_TOKEN")},
			[]string{"run", "attempt 1", "preparing"}, func(t *testing.T, tr *trace.Trace) {
				assert.Equal(t, []string{"state", "blocked"}, eventNames(tr.Spans[1]))
			}},
		{"asked for again", runs.Run{State: runs.Preparing, UpdatedAt: at(60), Attempts: []runs.Attempt{{Number: 1, Verdict: &refused}, {Number: 2}}},
			[]runs.Event{told(1, "", runs.EventState, "attempt 1 is being prepared"), told(3, "", runs.EventState, "failed"),
				state(4, runs.Ended, runs.Drained, 1), state(5, runs.Drained, runs.Cleaned, 1), state(6, runs.Cleaned, runs.Closed, 1),
				told(50, "", runs.EventReopened, ""), told(50, "", "again", "attempt 2 was asked for")},
			[]string{"run", "attempt 1", "preparing", "draining", "cleanup", "attempt 2", "preparing"}, func(t *testing.T, tr *trace.Trace) {
				assert.Equal(t, at(6), span(t, tr, "attempt 1").End)
				assert.Equal(t, at(50), span(t, tr, "attempt 2").Start)
				assert.Equal(t, []string{"reopened", "again"}, eventNames(tr.Spans[0]))
			}},
		{"adopted at its third attempt", runs.Run{State: runs.Submitted, UpdatedAt: at(9), Attempts: []runs.Attempt{
			{Number: 1, Resolution: "followed by a later attempt at the backend"}, {Number: 2, Resolution: "followed by a later attempt at the backend"},
			{Number: 3, Existing: true, SubmittingAt: at(2.001), SubmittedAt: at(2.001)}}},
			[]runs.Event{told(1, "", runs.EventState, "attempt 1 is being prepared"), told(2, "", runs.EventState, "attempt 3 was found at the backend as job"),
				told(3, "", "phase", "attempt 3 is running: x y")},
			[]string{"run", "attempt 1", "attempt 2", "attempt 3", "preparing", "submitting", "running"}, nil},
		{"a backend whose clock is ahead", runs.Run{State: runs.Closed, ClosedAt: at(12), Verdict: &ok, VerdictAt: at(9),
			Attempts: []runs.Attempt{{Number: 1, SubmittingAt: at(1), SubmittedAt: at(2), StartedAt: at(3600), EndedAt: at(3700), Verdict: &ok}}},
			[]runs.Event{told(1, "", runs.EventState, ""), told(3, "", "phase", "attempt 1 is running")},
			[]string{"run", "attempt 1", "preparing", "submitting", "running"}, func(t *testing.T, tr *trace.Trace) {
				assert.Equal(t, at(3), span(t, tr, "running").Start)
				assert.Equal(t, at(9), span(t, tr, "running").End)
			}},
		{"events with data, of a newer version", runs.Run{State: runs.Submitted, UpdatedAt: at(9), Attempts: []runs.Attempt{{Number: 1, SubmittingAt: at(1), SubmittedAt: at(2)}}},
			[]runs.Event{{At: at(3), Kind: "phase", Message: "other words", Data: json.RawMessage(`{"attempt":1,"phase":"queued"}`)}, told(4, "", "weather", "rain")},
			[]string{"run", "attempt 1", "preparing", "submitting", "queued"}, func(t *testing.T, tr *trace.Trace) {
				assert.Equal(t, []string{"weather"}, eventNames(tr.Spans[1]))
			}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.run.ID, tc.run.CreatedAt = sampleID, begin
			tr := trace.Build(&tc.run, numbered(tc.events))
			sound(t, tr)
			assert.Equal(t, tc.want, names(tr))
			if tc.check != nil {
				tc.check(t, tr)
			}
		})
	}
}

// A job that is preempted for days stays a trace that can be looked at.
func TestBuildIsBounded(t *testing.T) {
	r := &runs.Run{ID: sampleID, CreatedAt: begin, UpdatedAt: at(9000), State: runs.Submitted, Step: strings.Repeat("s", 5000),
		Attempts: []runs.Attempt{{Number: 1, SubmittingAt: at(1), SubmittedAt: at(1)}}}
	var events []runs.Event
	for i := range 4000 {
		events = append(events, told(float64(2+2*i), "", "phase", "attempt 1 is %s: %s", []string{"queued", "running"}[i%2], strings.Repeat("x", 4000)))
	}
	tr := trace.Build(r, numbered(events))
	sound(t, tr)
	assert.Less(t, len(tr.Spans), 110)
	assert.Len(t, tr.Spans[1].Events, 128)
	assert.Positive(t, tr.Spans[1].DroppedEvents)
	raw, err := json.Marshal(tr)
	require.NoError(t, err)
	assert.Less(t, len(raw), 1<<20)
}

// Whatever stands in a record, the trace is one that a receiver takes.
func TestBuildTakesAnything(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	when := func() time.Time {
		if rnd.IntN(3) == 0 {
			return time.Time{}
		}
		return at(float64(rnd.IntN(200) - 50))
	}
	kinds := []string{"created", "state", "claimed", "released", "cancel", "reopened", "phase", "cancelling", "ended", "again", "?"}
	words := []string{"attempt 1 is queued", "attempt 2 is running: x", "attempt 9 is running", "attempt -1 is running", "", "attempt"}
	states := []string{"", "null", "3", `{"to":"drained","attempt":1}`, `{"to":"cleaned","attempt":2}`, `{"to":"closed","attempt":7}`, `{"to":"unknown","attempt":-3}`}
	for range 2000 {
		r := &runs.Run{ID: sampleID, CreatedAt: begin, UpdatedAt: when(), ClosedAt: when(), VerdictAt: when(), State: runs.Closed}
		for i := range rnd.IntN(4) {
			a := runs.Attempt{Number: i + 1, SubmittingAt: when(), SubmittedAt: when(), StartedAt: when(), EndedAt: when(), PhaseSince: when(),
				CancelSentAt: when(), CancelConfirmedAt: when()}
			if rnd.IntN(2) == 0 {
				a.Verdict = &runs.Verdict{Class: "user", At: when()}
			}
			r.Attempts = append(r.Attempts, a)
		}
		var events []runs.Event
		for range rnd.IntN(12) {
			events = append(events, runs.Event{At: when(), Kind: kinds[rnd.IntN(len(kinds))], Message: words[rnd.IntN(len(words))],
				Data: json.RawMessage(states[rnd.IntN(len(states))])})
		}
		tr := trace.Build(r, numbered(events))
		sound(t, tr)
		_, err := json.Marshal(tr)
		require.NoError(t, err)
		if t.Failed() {
			t.Fatalf("%+v\n%+v", r, events)
		}
	}
}

// The events as the real store writes them.
func TestBuildFromStore(t *testing.T) {
	dir := t.TempDir()
	ctx := t.Context()
	now := begin
	tick := func() time.Time { now = now.Add(time.Second); return now }
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "runs"), 0o700))
	s, err := runs.Open(ctx, filepath.Join(dir, "runs"), runs.Options{Owners: filepath.Join(dir, "owners"), Now: tick})
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	o, err := runs.NewOwner(ctx, filepath.Join(dir, "owners"))
	require.NoError(t, err)
	defer func() { assert.NoError(t, o.Close()) }()
	claim, r, err := s.CreateClaimed(ctx, runs.NewRun{Operator: "gpu", Step: "train"}, o)
	require.NoError(t, err)
	move := func(to runs.State, put func(*runs.Run, *runs.Attempt)) {
		t.Helper()
		require.NoError(t, claim.Update(ctx, runs.Relaxed, func(r *runs.Run) ([]runs.Event, error) {
			r.State = to
			if len(r.Attempts) == 0 {
				r.Attempts = []runs.Attempt{{Number: 1, Key: "k1"}}
			}
			if put != nil {
				put(r, &r.Attempts[0])
			}
			return nil, nil
		}))
	}
	move(runs.Preparing, nil)
	move(runs.Submitting, func(_ *runs.Run, a *runs.Attempt) {
		a.Request, a.RequestDigest, a.SubmittingAt = []byte("x"), "sha256:x", now
	})
	move(runs.Unknown, nil)
	move(runs.Submitted, func(_ *runs.Run, a *runs.Attempt) { a.Handle, a.SubmittedAt = []byte("h"), now })
	_, err = s.RequestCancel(ctx, r.ID, runs.Intent{Cause: runs.CauseUser, By: "ada@7"})
	require.NoError(t, err)
	move(runs.Ended, func(r *runs.Run, a *runs.Attempt) {
		a.Verdict = &runs.Verdict{Class: "cancelled", Phase: "cancelled", At: now}
		r.Verdict = a.Verdict
	})
	move(runs.Drained, nil)
	move(runs.Cleaned, nil)
	move(runs.Closed, nil)
	got, err := s.Run(ctx, r.ID)
	require.NoError(t, err)
	events, err := s.Events(ctx, r.ID, 0)
	require.NoError(t, err)
	tr := trace.Build(got, events)
	sound(t, tr)
	assert.Equal(t, []string{"run train", "attempt 1", "preparing", "submitting", "draining", "cleanup"}, names(tr))
	assert.Equal(t, []string{"cancel"}, eventNames(tr.Spans[0]))
	assert.Equal(t, []string{"unknown"}, eventNames(tr.Spans[1]))
	for _, s := range tr.Spans {
		assert.True(t, s.End.After(s.Start), "%s took no time", s.Name)
	}
}
