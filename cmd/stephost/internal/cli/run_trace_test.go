package cli_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/runs"
)

const sampleParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// otlp is what the tests read of OTLP/JSON.
type otlp struct {
	ResourceSpans []struct {
		ScopeSpans []struct {
			Spans []struct{ TraceID, SpanID, ParentSpanID, Name string }
		}
	}
}

func decodeTrace(t *testing.T, data []byte) otlp {
	t.Helper()
	var o otlp
	require.NoError(t, json.Unmarshal(data, &o), string(data))
	require.Len(t, o.ResourceSpans, 1)
	require.Len(t, o.ResourceSpans[0].ScopeSpans, 1)
	return o
}

// receiver is a real OTLP/HTTP receiver that keeps what it gets.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	bodies [][]byte
	heads  []http.Header
	paths  []string
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.bodies, r.heads, r.paths = append(r.bodies, body), append(r.heads, req.Header), append(r.paths, req.URL.Path)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(r.Close)
	return r
}

// clearOTel keeps the environment of the test's caller out.
func clearOTel(t *testing.T) {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
		"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED", "TRACEPARENT"} {
		t.Setenv(name, "")
	}
}

// closedRun stores a run that is over.
func (w *world) closedRun(t *testing.T) string {
	t.Helper()
	ctx := t.Context()
	at := home.At(w.home)
	require.NoError(t, os.MkdirAll(at.Runs(), 0o700))
	s, err := runs.Open(ctx, at.Runs(), runs.Options{Owners: at.Owners()})
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	o, err := runs.NewOwner(ctx, at.Owners())
	require.NoError(t, err)
	defer func() { assert.NoError(t, o.Close()) }()
	claim, r, err := s.CreateClaimed(ctx, runs.NewRun{Operator: "gpu", Step: "train", Pin: runs.Pin{Flavor: "cloud", Version: "0.1.0"}}, o)
	require.NoError(t, err)
	for _, to := range []runs.State{runs.Preparing, runs.Ended, runs.Drained, runs.Cleaned, runs.Closed} {
		require.NoError(t, claim.Update(ctx, runs.Relaxed, func(r *runs.Run) ([]runs.Event, error) {
			if r.State = to; to == runs.Preparing {
				r.Attempts = []runs.Attempt{{Number: 1, Key: r.ID}}
			}
			if to == runs.Ended {
				v := runs.Verdict{Class: "config", Phase: "failed", Message: "no such machine", At: time.Now()}
				r.Verdict, r.Attempts[0].Verdict = &v, &v
			}
			return nil, nil
		}))
	}
	return r.ID
}

func TestRunTrace(t *testing.T) {
	clearOTel(t)
	w := newWorld(t)
	id := w.closedRun(t)
	r := w.run("run", "trace", id)
	require.Zero(t, r.code, r.err)
	spans := decodeTrace(t, []byte(r.out)).ResourceSpans[0].ScopeSpans[0].Spans
	require.NotEmpty(t, spans)
	assert.Equal(t, "run train", spans[0].Name)
	assert.Empty(t, spans[0].ParentSpanID)
	assert.Equal(t, r.out, w.run("-o", "json", "run", "trace", id).out, "the same each time, and for programs")

	t.Setenv("TRACEPARENT", sampleParent)
	in := decodeTrace(t, []byte(w.run("run", "trace", id).out)).ResourceSpans[0].ScopeSpans[0].Spans
	assert.Equal(t, "4bf92f3577b34da6a3ce929d0e0e4736", in[0].TraceID)
	assert.Equal(t, "00f067aa0ba902b7", in[0].ParentSpanID)
	assert.Equal(t, spans[0].SpanID, in[0].SpanID)

	t.Setenv("TRACEPARENT", "nonsense")
	bad := w.run("run", "trace", id)
	require.Zero(t, bad.code)
	assert.Equal(t, r.out, bad.out)
	assert.Contains(t, bad.err, "TRACEPARENT is left out")
}

func TestRunTraceSend(t *testing.T) {
	clearOTel(t)
	w := newWorld(t)
	id := w.closedRun(t)
	none := w.run("run", "trace", id, "--send")
	assert.Equal(t, 125, none.code)
	assert.Contains(t, none.err, "nothing says where the trace shall go")
	assert.Contains(t, none.err, "OTEL_EXPORTER_OTLP_ENDPOINT")

	to := newReceiver(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", to.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20abc")
	sent := w.run("run", "trace", id, "--send")
	require.Zero(t, sent.code, sent.err)
	assert.Contains(t, sent.out, "Sent trace ")
	assert.Contains(t, sent.out, to.URL+"/v1/traces")
	again := w.run("-o", "json", "run", "trace", id, "--send")
	require.Zero(t, again.code, again.err)
	require.Len(t, to.bodies, 2)
	assert.Equal(t, to.bodies[0], to.bodies[1], "the same spans")
	assert.Equal(t, "/v1/traces", to.paths[0])
	assert.Equal(t, "Bearer abc", to.heads[0].Get("Authorization"))
	var doc struct {
		Item struct {
			TraceID string `json:"trace_id"`
			Spans   int
		}
	}
	require.NoError(t, json.Unmarshal([]byte(again.out), &doc))
	spans := decodeTrace(t, to.bodies[0]).ResourceSpans[0].ScopeSpans[0].Spans
	assert.Equal(t, spans[0].TraceID, doc.Item.TraceID)
	assert.Equal(t, len(spans), doc.Item.Spans)

	to.Close()
	gone := w.run("run", "trace", id, "--send")
	assert.Equal(t, 125, gone.code)
	assert.Contains(t, gone.err, "the trace could not be sent to "+to.URL)
	assert.Contains(t, gone.err, "Next:")
	assert.NotContains(t, gone.err, "Bearer")
	w.neverRan()
}

func TestRunTraceOfNothing(t *testing.T) {
	clearOTel(t)
	w := newWorld(t)
	require.NoError(t, os.MkdirAll(filepath.Join(w.home, "runs"), 0o700))
	r := w.run("run", "trace", "01JGKD0000000000000000000A")
	assert.Equal(t, 125, r.code)
	assert.Contains(t, r.err, "stephost run list")
}
