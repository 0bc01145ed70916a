package trace_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/trace"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	sampleID = "01JGKD0000000000000000000A"
	owner1   = "01JGKD0000000000000000000B"
	owner2   = "01JGKD0000000000000000000C"
)

// begin is when the sample run was created; at is so many seconds later.
var begin = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

func at(seconds float64) time.Time { return begin.Add(time.Duration(seconds * float64(time.Second))) }

func state(seconds float64, from, to runs.State, attempt int) runs.Event {
	data, _ := json.Marshal(map[string]any{"from": from, "to": to, "attempt": attempt})
	return runs.Event{At: at(seconds), Actor: owner2, Kind: runs.EventState, Message: string(to), Data: data}
}

func told(seconds float64, actor, kind, format string, args ...any) runs.Event {
	return runs.Event{At: at(seconds), Actor: actor, Kind: kind, Message: fmt.Sprintf(format, args...)}
}

func numbered(events []runs.Event) []runs.Event {
	for i := range events {
		events[i].Seq = int64(i + 1)
	}
	return events
}

// sample is a run whose first attempt was preempted; its owner died, another
// process went on, and a person cancelled the second attempt.
func sample() (*runs.Run, []runs.Event) {
	code := 143
	first := runs.Verdict{Class: "preempted", Phase: "failed", Reason: "SpotInterruption", Message: "the machine was taken away", At: at(60.05)}
	last := runs.Verdict{Class: "cancelled", Phase: "cancelled", ExitCode: &code, Reason: "Stopped", Message: "train.py --lr=0.001 ended with /data/private", At: at(200)}
	plan := `{"Step":{"argv":["python","train.py","--lr=0.001"],"env":{"DATA":"/data/private","N":"1"},"secrets":{"HF_TOKEN":"env:HF_TOKEN"}}}`
	r := &runs.Run{ID: sampleID, Token: "dag/1", TokenGiven: true, State: runs.Closed, Operator: "gpu", Step: "train", Pipeline: "nightly", PipelineRun: "n-7",
		Labels:     map[string]string{"team": "label-value"},
		Definition: []byte(`{"argv":["definition"]}`), Plan: json.RawMessage(plan),
		Pin: runs.Pin{Flavor: "sagemaker", Version: "0.1.0", ScopeDisplay: "123456789012 eu-west-1", Config: json.RawMessage(`{"role":"config-value"}`)},
		Attempts: []runs.Attempt{
			{Number: 1, Key: "key1", Request: []byte("request"), NativeName: "job-key1", SubmittingAt: at(2), SubmittedAt: at(3), StartedAt: at(20), EndedAt: at(59),
				PhaseSince: at(20), Phase: "failed", Verdict: &first, URL: "https://example.test/job?token=url-value"},
			{Number: 2, Key: "key2", NativeName: "job-key2", SubmittingAt: at(62), SubmittedAt: at(63), StartedAt: at(150), EndedAt: at(198),
				PhaseSince: at(150), Phase: "cancelled", CancelSentAt: at(180), CancelConfirmedAt: at(199), Verdict: &last, LeftoversCleaned: true},
		},
		Intent:  &runs.Intent{Cause: runs.CauseUser, By: "ada@7", At: at(179)},
		Verdict: &last, Values: map[string]json.RawMessage{"accuracy": json.RawMessage(`"value-value"`)},
		CreatedAt: begin, UpdatedAt: at(206), VerdictAt: at(200.5), ClosedAt: at(206)}
	return r, numbered([]runs.Event{
		told(0, owner1, runs.EventCreated, ""),
		told(0.5, owner1, runs.EventState, "attempt 1 is being prepared"),
		told(2, owner1, runs.EventState, "attempt 1 goes to 123456789012 eu-west-1 with key key1"),
		told(3, owner1, runs.EventState, "attempt 1 was accepted as job-key1"),
		told(4.2, owner1, "phase", "attempt 1 is queued"),
		told(10.2, owner1, "phase", "attempt 1 is provisioning: Starting waits for a machine"),
		told(12.2, owner1, "phase", "attempt 1 is provisioning: Downloading downloads the image"),
		told(20.4, owner1, "phase", "attempt 1 is running"),
		told(60, owner1, "ended", "attempt 1: failed, class preempted: SpotInterruption: the machine was taken away"),
		told(60, owner1, runs.EventState, "attempt 2 follows: class preempted has attempts left"),
		told(62, owner1, runs.EventState, "attempt 2 goes to 123456789012 eu-west-1 with key key2"),
		told(63, owner1, runs.EventState, "attempt 2 was accepted as job-key2"),
		told(64, owner1, "phase", "attempt 2 is provisioning"),
		told(120, owner2, runs.EventClaimed, "from process 42 on laptop, which has ended"),
		told(150.2, owner2, "phase", "attempt 2 is running"),
		told(179, "ada@7", runs.EventCancel, "user"),
		told(180.1, owner2, "cancelling", "the backend is asked to end attempt 2 (user)"),
		told(200.5, owner2, runs.EventState, "cancelled, exit code 143: Stopped: train.py --lr=0.001 ended with /data/private"),
		state(204, runs.Ended, runs.Drained, 2),
		state(205, runs.Drained, runs.Cleaned, 2),
		state(206, runs.Cleaned, runs.Closed, 2),
		told(206, owner2, runs.EventReleased, ""),
	})
}

func golden(t *testing.T, name string, tr *trace.Trace) {
	t.Helper()
	raw, err := json.Marshal(tr)
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, json.Indent(&b, raw, "", "  "))
	b.WriteByte('\n')
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, b.Bytes(), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "make it with -update")
	assert.Equal(t, string(want), b.String())
}

func TestBuildGolden(t *testing.T) {
	tr := trace.Build(sample())
	assert.Equal(t, []string{
		"run train", "attempt 1", "preparing", "submitting", "queued", "provisioning", "running",
		"attempt 2", "preparing", "submitting", "provisioning", "running", "cancelling", "draining", "cleanup",
	}, names(tr))
	sound(t, tr)
	golden(t, "two_attempts.json", tr)
}

// Exporting twice gives the same spans, also when the run went on meanwhile.
func TestIDsAreStable(t *testing.T) {
	r, events := sample()
	one, two := trace.Build(r, events), trace.Build(r, events)
	assert.Equal(t, one, two)
	assert.Equal(t, "019426d0000000000000000000000000", hexOfZeroTail(one.ID))

	early := *r
	early.State, early.Verdict, early.ClosedAt, early.VerdictAt = runs.Submitted, nil, time.Time{}, time.Time{}
	early.UpdatedAt = at(12.2)
	early.Attempts = []runs.Attempt{{Number: 1, Key: "key1", NativeName: "job-key1", SubmittingAt: at(2), SubmittedAt: at(3), Phase: "provisioning", PhaseSince: at(10)}}
	open := trace.Build(&early, events[:7])
	sound(t, open)
	assert.Equal(t, []string{"run train", "attempt 1", "preparing", "submitting", "queued", "provisioning"}, names(open))
	for i, s := range open.Spans {
		assert.Equal(t, one.Spans[i].ID, s.ID, s.Name)
		assert.Equal(t, trace.StatusUnset, s.Status)
	}
	assert.Equal(t, at(12.2), open.Spans[0].End)
}

// hexOfZeroTail is a trace ID with its random part taken out: what is left is
// the time of the ULID.
func hexOfZeroTail(id trace.TraceID) string {
	clear(id[6:])
	return id.String()
}

func TestUnder(t *testing.T) {
	tr := trace.Build(sample())
	p, err := trace.ParseParent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	require.NoError(t, err)
	in := tr.Under(p)
	assert.Equal(t, "4bf92f3577b34da6a3ce929d0e0e4736", in.ID.String())
	assert.Equal(t, "00f067aa0ba902b7", in.Spans[0].Parent.String())
	assert.True(t, p.Sampled)
	assert.Zero(t, tr.Spans[0].Parent, "the trace itself is left alone")
	for i := range tr.Spans {
		assert.Equal(t, tr.Spans[i].ID, in.Spans[i].ID)
	}
	assert.Same(t, tr, tr.Under(nil))
}

func TestParseParent(t *testing.T) {
	for text, bad := range map[string]string{
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00":       "",
		"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later": "",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later": "four parts",
		"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01":       "forbidden",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01":       "lower case",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01":       "zeroes",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01":       "zeroes",
		"00-4bf92f3577b34da6a3ce929d0e0e473z-00f067aa0ba902b7-01":       "hex digits",
		"4bf92f3577b34da6a3ce929d0e0e4736":                              "want VERSION",
		"":                                                              "want VERSION",
	} {
		_, err := trace.ParseParent(text)
		if bad == "" {
			assert.NoError(t, err, text)
		} else {
			assert.ErrorContains(t, err, bad, text)
		}
	}
}

// Nothing that the step was given is in the trace, and nothing of the record but
// the listed fields.
func TestNothingGivenIsShown(t *testing.T) {
	r, events := sample()
	raw, err := json.Marshal(trace.Build(r, events))
	require.NoError(t, err)
	for _, given := range []string{"train.py", "0.001", "/data/private", "HF_TOKEN", "config-value", "label-value", "url-value", "value-value", "definition"} {
		assert.NotContains(t, string(raw), given)
	}
	assert.Contains(t, string(raw), "the machine was taken away")

	r.Plan = json.RawMessage(`{"Step": 3}`) // of another version: what was given is not known
	raw, err = json.Marshal(trace.Build(r, events))
	require.NoError(t, err)
	assert.NotContains(t, string(raw), "taken away")
	assert.Contains(t, string(raw), "cancelled, exit code 143")
}

func names(tr *trace.Trace) (out []string) {
	for _, s := range tr.Spans {
		out = append(out, s.Name)
	}
	return out
}

// sound checks what every receiver relies on.
func sound(t *testing.T, tr *trace.Trace) {
	t.Helper()
	seen := map[trace.SpanID]trace.Span{}
	for i, s := range tr.Spans {
		assert.NotContains(t, seen, s.ID, "span %s twice", s.Name)
		seen[s.ID] = s
		assert.False(t, s.End.Before(s.Start), "%s ends before it begins: %s to %s", s.Name, s.Start, s.End)
		assert.NotEmpty(t, s.Name)
		keys := map[string]bool{}
		for _, a := range s.Attributes {
			assert.False(t, keys[a.Key], "attribute %s twice", a.Key)
			keys[a.Key] = true
		}
		if i == 0 {
			continue
		}
		p, ok := seen[s.Parent]
		if assert.True(t, ok, "%s stands before its parent", s.Name) {
			assert.False(t, s.Start.Before(p.Start) || s.End.After(p.End), "%s (%s to %s) is not within %s (%s to %s)", s.Name, s.Start, s.End, p.Name, p.Start, p.End)
		}
	}
}
