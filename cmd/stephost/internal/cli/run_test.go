//go:build !front

package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/process"
	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/runs"
)

func intp(n int) *int { return &n }

// sampleRun is a run in the middle of its life.
func sampleRun() *runs.Run {
	at := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	plan, _ := json.Marshal(struct{ Step *project.Resolved }{&project.Resolved{Project: "digits", Timeouts: project.Timeouts{Provisioning: 20 * time.Minute, Run: 2 * time.Hour, Cancel: time.Minute}}})
	return &runs.Run{ID: "01JGKD0000000000000000000A", Token: "dag/1", TokenGiven: true, State: runs.Submitted, Operator: "gpu", Step: "train",
		Pin: runs.Pin{Flavor: "sagemaker", Version: "0.1.0", ScopeDisplay: "123456789012 eu-west-1"}, Plan: plan,
		OwnerID: "01JGKD0000000000000000000B", Owner: &runs.OwnerInfo{PID: 42, Host: "laptop"}, CreatedAt: at, UpdatedAt: at.Add(time.Minute),
		Attempts: []runs.Attempt{{Number: 1, Key: "abc", NativeName: "job-abc", URL: "https://example.test/job", SubmittedAt: at.Add(time.Minute), Phase: "provisioning",
			Reason: "Starting", Message: "waits for a machine", PhaseSince: at.Add(time.Minute)}}}
}

func overRun(v runs.Verdict) *runs.Run {
	r := sampleRun()
	r.State, r.OwnerID, r.Owner = runs.Closed, "", nil
	r.Verdict, r.VerdictAt = &v, r.CreatedAt.Add(5*time.Minute)
	r.Attempts[0].StartedAt, r.Attempts[0].EndedAt = r.CreatedAt.Add(2*time.Minute), r.CreatedAt.Add(4*time.Minute)
	r.Attempts[0].Verdict = &v
	return r
}

func golden(t *testing.T, name, got string) {
	path := filepath.Join("testdata", name+".golden")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "UPDATE_GOLDEN=1 writes it")
	assert.Equal(t, string(want), got)
}

func TestOutcomeText(t *testing.T) {
	now := time.Date(2026, 1, 2, 16, 0, 0, 0, time.UTC)
	var b bytes.Buffer
	for _, v := range []runs.Verdict{
		{Class: "succeeded", Phase: "succeeded", ExitCode: intp(0), Outputs: []runs.Output{{Name: "model.pkl", Location: "/out/model.pkl", Bytes: 2048}, {Name: "all", Location: "s3://b/k", Bytes: -1}}},
		{Class: "user", Phase: "failed", ExitCode: intp(3), Reason: "ExitCode"},
		{Class: "user", Phase: "failed", Signal: "SIGKILL", Reason: "OOMKilled", Message: "the step used more memory than 2 GiB"},
		{Class: "timeout", Phase: "cancelled", Reason: "run timeout", Message: "the job ran longer than timeouts.run"},
		{Class: "cancelled", Phase: "cancelled", Reason: "Cancelled"},
		{Class: "cancelled", Phase: "cancelled", CancelUnconfirmed: true},
		{Class: "capacity", Phase: "failed", Message: "no machine of this type"},
		{Class: "lost", Phase: "lost", Reason: "abandoned", Message: "abandoned by ada@1"},
	} {
		r := overRun(v)
		if v.Class == "succeeded" {
			r.Values = map[string]json.RawMessage{"accuracy": json.RawMessage("0.97"), "a": json.RawMessage(`"x"`)}
		}
		b.WriteString(outcomeText(&b, r, now) + "\n\n")
	}
	golden(t, "outcome", b.String())
}

// What a backend, a plugin or a step has chosen does not steer the terminal.
func TestOutcomeIsHarmless(t *testing.T) {
	r := overRun(runs.Verdict{Class: "user", Phase: "failed", Signal: "SIG\x1b[2J", Reason: "re\x1b[31mason", Message: "one\x1b]0;title\x07\n\ttwo\u009b31m",
		Outputs: []runs.Output{{Name: "b\x1b", Location: "/out/a\x1b[31mb", Bytes: -1}}})
	r.Values = map[string]json.RawMessage{"v": json.RawMessage("\"\u009b1m\"")}
	var b bytes.Buffer
	text := outcomeText(&b, r, time.Date(2026, 1, 2, 16, 0, 0, 0, time.UTC))
	assert.NotRegexp(t, "[\x00-\x08\x0b-\x1f\x7f-\u009f]", text)
	assert.Contains(t, text, "was killed by SIG[2J")
	assert.Contains(t, text, "\n  re[31mason: one]0;title\n  \ttwo31m")
	assert.Contains(t, text, "\n  output b: /out/a[31mb")

	a := &app{stdout: &bytes.Buffer{}, stderr: &b}
	a.problem(&problem.Error{Summary: "no\x1b[31msuch", Detail: "a\x1b[1m\nb", Next: "go\x1b[0m"})
	a.panics.add(process.Panic{Flavor: "x", Text: "pa\x1b[31mnic\n\tat"})
	a.panics.write(&b)
	assert.NotContains(t, b.String(), "\x1b")
	assert.Contains(t, b.String(), "  a[1m\n  b\n")
	assert.Contains(t, b.String(), "  pa[31mnic\n  \tat\n")
}

func TestShowRun(t *testing.T) {
	now := time.Date(2026, 1, 2, 15, 10, 5, 0, time.UTC)
	at := now.Add(-5 * time.Minute)
	events := []runs.Event{
		{Seq: 1, At: at, Actor: "01JGKD0000000000000000000B", Kind: "created"},
		{Seq: 2, At: at.Add(time.Second), Actor: "ada@7", Kind: "cancel", Message: "user"},
	}
	var b bytes.Buffer
	for _, r := range []*runs.Run{sampleRun(), overRun(runs.Verdict{Class: "succeeded", Phase: "succeeded", ExitCode: intp(0)})} {
		require.NoError(t, showRun(&b, r, new(storyOf(r, events)), now))
		b.WriteString("\n=====\n")
	}
	golden(t, "show", b.String())
	item, err := json.MarshalIndent(storyOf(sampleRun(), events), "", "  ")
	require.NoError(t, err)
	golden(t, "show_json", string(item)+"\n")
}

func TestWaitOf(t *testing.T) {
	created := sampleRun().CreatedAt
	for _, tc := range []struct {
		name  string
		run   func(*runs.Run)
		bound string
		until time.Time
	}{
		{"provisioning", func(*runs.Run) {}, "timeouts.provisioning", created.Add(21 * time.Minute)},
		{"running", func(r *runs.Run) {
			r.Attempts[0].Phase, r.Attempts[0].StartedAt = "running", created.Add(2*time.Minute)
		}, "timeouts.run", created.Add(122 * time.Minute)},
		{"cancelling", func(r *runs.Run) {
			r.Intent = &runs.Intent{Cause: "user"}
			r.Attempts[0].CancelSentAt = created.Add(3 * time.Minute)
		}, "timeouts.cancel", created.Add(4 * time.Minute)},
		{"cancelling, the default bound", func(r *runs.Run) {
			r.Plan, r.Intent = nil, &runs.Intent{Cause: "user"}
			r.Attempts[0].CancelSentAt = created.Add(3 * time.Minute)
		}, "timeouts.cancel", created.Add(5 * time.Minute)},
		{"draining, the default bound", func(r *runs.Run) {
			r.State, r.Verdict, r.VerdictAt = runs.Ended, &runs.Verdict{Class: "succeeded"}, created.Add(3*time.Minute)
		}, "timeouts.log_drain", created.Add(4 * time.Minute)},
		{"unknown", func(r *runs.Run) { r.State = runs.Unknown }, "", time.Time{}},
		{"a plan of another version", func(r *runs.Run) { r.Plan = []byte(`{"Step": 3}`) }, "", time.Time{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := sampleRun()
			tc.run(r)
			w := waitOf(r, nil)
			require.NotNil(t, w)
			assert.Equal(t, tc.bound, w.Bound)
			assert.Equal(t, tc.until, w.Until)
		})
	}
	assert.Nil(t, waitOf(overRun(runs.Verdict{Class: "succeeded"}), nil))
}

// A wait is as old as the state, whatever was written since; what hinders the run comes
// before what the backend said last.
func TestWaitOfAStory(t *testing.T) {
	r := sampleRun()
	r.State, r.UpdatedAt, r.StateReason = runs.Submitting, r.CreatedAt.Add(time.Hour), "the backend cannot be reached: no route"
	moved := func(from, to string, after time.Duration) runs.Event {
		return runs.Event{At: r.CreatedAt.Add(after), Kind: runs.EventState, Data: json.RawMessage(`{"from":"` + from + `","to":"` + to + `"}`)}
	}
	events := []runs.Event{
		moved("created", "preparing", time.Second), moved("preparing", "submitting", 2*time.Second),
		{At: r.CreatedAt.Add(3 * time.Second), Kind: runs.EventState, Message: "sent again"}, {At: r.UpdatedAt, Kind: runs.EventReleased},
	}
	w := waitOf(r, events)
	assert.Equal(t, r.CreatedAt.Add(2*time.Second), w.Since)
	r.State = runs.Submitted
	w = waitOf(r, events)
	assert.Equal(t, "the start of the job", w.For)
	assert.Equal(t, r.StateReason, w.Reason)
	assert.Equal(t, r.StateReason, noticeOf(r).Message)
}

func TestReadOptions(t *testing.T) {
	now := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		since, tail string
		wantSince   time.Time
		wantTail    int
		bad         string
	}{
		{"", "all", time.Time{}, 0, ""},
		{"10m", "5", now.Add(-10 * time.Minute), 5, ""},
		{"2026-01-01T00:00:00Z", "0", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), -1, ""},
		{"yesterday", "all", time.Time{}, 0, "neither a duration nor a time"},
		{"", "-3", time.Time{}, 0, "no number of lines"},
		{"-1h", "all", time.Time{}, 0, "lies in the future"},
	} {
		o, err := readOptions(tc.since, tc.tail, now)
		if tc.bad != "" {
			assert.ErrorContains(t, err, tc.bad)
			continue
		}
		require.NoError(t, err)
		assert.True(t, tc.wantSince.Equal(o.Since))
		assert.Equal(t, tc.wantTail, o.Tail)
	}
}

func TestDays(t *testing.T) {
	for text, want := range map[string]time.Duration{"0": 0, "30d": 720 * time.Hour, "12h": 12 * time.Hour} {
		got, err := days(text)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, bad := range []string{"-1d", "x", "-3h", "1e9d", ""} {
		_, err := days(bad)
		assert.ErrorContains(t, err, "no duration", bad)
	}
}

func TestResultFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "result.json")
	require.NoError(t, checkResultFile(path))
	require.ErrorContains(t, checkResultFile(filepath.Join(dir, "no", "result.json")), "cannot be written")
	require.ErrorContains(t, checkResultFile(dir), "is a directory")
	require.NoError(t, writeResult(path, host.Result{Version: 1, Type: "result", Class: "succeeded"}))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.JSONEq(t, `{"v":1,"type":"result","class":"succeeded","exit":0}`, string(data))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, left, 1, "nothing is left beside it")
}
