package cloudtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/durationpb"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"github.com/stephost/stephost/test/cloudfake"
)

// Digest has the form of a request digest; Submit sends it.
func Digest() string { return strings.Repeat("0a", 32) }

// Prepare returns what Prepare leaves, or its diagnostics.
func (h *Harness) Prepare(s *operatorv1.Step) ([]byte, []*operatorv1.Diagnostic) {
	h.T.Helper()
	stream, err := h.Plugin.Prepare(h.Ctx(), &operatorv1.PrepareRequest{Target: h.Target, Step: s})
	require.NoError(h.T, err)
	var found []*operatorv1.Diagnostic
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil, found
		}
		require.NoError(h.T, err)
		require.Nil(h.T, m.GetCouldNotAsk(), "%v", m)
		found = append(found, m.GetDiagnostics()...)
		if done := m.GetDone(); done != nil {
			return done.GetPrepared(), found
		}
	}
}

// Submit submits a step, prepared where the flavor prepares.
func (h *Harness) Submit(s *operatorv1.Step) *operatorv1.SubmitResponse {
	h.T.Helper()
	var data []byte
	if h.flavor.Prepares {
		var found []*operatorv1.Diagnostic
		data, found = h.Prepare(s)
		for _, d := range found {
			require.NotEqual(h.T, operatorv1.Severity_SEVERITY_ERROR, d.Severity, "%v", d)
		}
	}
	r, err := h.Plugin.Submit(h.Ctx(), &operatorv1.SubmitRequest{Target: h.Target, Step: s, Prepared: data, RequestDigest: Digest()})
	require.NoError(h.T, err)
	return r
}

// Accepted submits a step that is accepted.
func (h *Harness) Accepted(s *operatorv1.Step) *operatorv1.Handle {
	h.T.Helper()
	r := h.Submit(s)
	require.NotNil(h.T, r.GetAccepted(), "%v", r)
	return r.GetAccepted().GetHandle()
}

// Find asks for jobs.
func (h *Harness) Find(r *operatorv1.FindRequest) *operatorv1.FindResponse {
	r.Target = h.Target
	got, err := h.Plugin.Find(h.Ctx(), r)
	require.NoError(h.T, err)
	return got
}

// FindKey asks for the job of a key.
func (h *Harness) FindKey(key string) *operatorv1.FindResponse {
	return h.Find(&operatorv1.FindRequest{By: &operatorv1.FindRequest_Key{Key: key}})
}

// FindToken asks for the jobs of a run.
func (h *Harness) FindToken(token string) *operatorv1.FindResponse {
	return h.Find(&operatorv1.FindRequest{By: &operatorv1.FindRequest_RunToken{RunToken: token}})
}

// Watch returns the terminal event and what came before it.
func (h *Harness) Watch(key string, handle *operatorv1.Handle) (*operatorv1.Terminal, []*operatorv1.WatchResponse) {
	h.T.Helper()
	stream, err := h.Plugin.Watch(h.Ctx(), &operatorv1.WatchRequest{Target: h.Target, Handle: handle, Key: key, HeartbeatInterval: durationpb.New(time.Second)})
	require.NoError(h.T, err)
	var seen []*operatorv1.WatchResponse
	for {
		e, err := stream.Recv()
		require.NoError(h.T, err)
		if end := e.GetTerminal(); end != nil {
			return end, seen
		}
		seen = append(seen, e)
	}
}

// Logs returns the log by source, and the last cursor of each.
func (h *Harness) Logs(key string, handle *operatorv1.Handle, cursors map[string]string) (streams map[string]*bytes.Buffer, last map[string]string) {
	h.T.Helper()
	stream, err := h.Plugin.Logs(h.Ctx(), &operatorv1.LogsRequest{Target: h.Target, Handle: handle, Key: key, Follow: true, Cursors: cursors})
	require.NoError(h.T, err)
	streams, last = map[string]*bytes.Buffer{}, map[string]string{}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return streams, last
		}
		require.NoError(h.T, err)
		for _, e := range m.GetEntries() {
			if streams[m.Source.Name] == nil {
				streams[m.Source.Name] = &bytes.Buffer{}
			}
			streams[m.Source.Name].Write(e.Data)
			last[m.Source.Name] = e.Cursor
		}
	}
}

// Only is the log of a job with one source.
func Only(t testing.TB, streams map[string]*bytes.Buffer) string {
	t.Helper()
	require.Len(t, streams, 1)
	for _, b := range streams {
		return b.String()
	}
	return ""
}

// Cancel asks for a cancel.
func (h *Harness) Cancel(key string, handle *operatorv1.Handle) *operatorv1.CancelResponse {
	h.T.Helper()
	r, err := h.Plugin.Cancel(h.Ctx(), &operatorv1.CancelRequest{Target: h.Target, Handle: handle, Key: key})
	require.NoError(h.T, err)
	return r
}

// Doctor makes the checks that ask the service, and returns what is wrong.
func (h *Harness) Doctor(s *operatorv1.Step) []*operatorv1.Diagnostic {
	h.T.Helper()
	return slices.DeleteFunc(h.findings(s), isNote)
}

func (h *Harness) findings(s *operatorv1.Step) []*operatorv1.Diagnostic {
	h.T.Helper()
	r, err := h.Plugin.Validate(h.Ctx(), &operatorv1.ValidateRequest{Target: h.Target, Step: s, Online: true})
	require.NoError(h.T, err)
	return r.Diagnostics
}

func isNote(d *operatorv1.Diagnostic) bool { return d.Severity == operatorv1.Severity_SEVERITY_NOTE }

// CheckNotes compares what doctor shows besides what is wrong with a golden file.
// The environment variable UPDATE_GOLDEN writes it.
func (h *Harness) CheckNotes(golden string) {
	h.T.Helper()
	var b strings.Builder
	for _, d := range h.findings(nil) {
		if isNote(d) {
			fmt.Fprintf(&b, "%s: %s\n", strings.Join(d.Attribute, "."), d.Summary)
		}
	}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(h.T, os.WriteFile(golden, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(h.T, err)
	require.Equal(h.T, string(want), b.String(), "UPDATE_GOLDEN=1 writes it")
}

// JobOf is the one job of a key at the fake.
func (h *Harness) JobOf(key string) cloudfake.Job {
	h.T.Helper()
	jobs, err := h.fake.ByKey(h.Ctx(), key)
	require.NoError(h.T, err)
	require.Len(h.T, jobs, 1)
	return jobs[0]
}

// Rule lets a fault befall the next calls of an operation; times = 0: all.
func (h *Harness) Rule(op string, times int, f cloudfake.Fault) {
	h.T.Helper()
	require.NoError(h.T, h.fake.Add(h.Ctx(), cloudfake.Rule{Op: op, Times: times, Fault: f}))
}

// Life is that of the next job.
func (h *Harness) Life(l cloudfake.Life) {
	h.T.Helper()
	require.NoError(h.T, h.fake.AddLife(h.Ctx(), cloudfake.LifeRule{Times: 1, Life: l}))
}

// Counted are the calls that the fake got, by operation.
func (h *Harness) Counted() map[string]int {
	h.T.Helper()
	calls, err := h.fake.Calls(h.Ctx())
	require.NoError(h.T, err)
	return calls
}
