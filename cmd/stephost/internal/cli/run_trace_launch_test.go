//go:build !front

package cli

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/trace"
)

// What the end of a launch sends, and what it does not.
func TestSendTrace(t *testing.T) {
	for _, name := range []string{trace.EnvTracesEndpoint, trace.EnvParent, "OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED", "OTEL_EXPORTER_OTLP_PROTOCOL",
		"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"} {
		t.Setenv(name, "")
	}
	dir := t.TempDir()
	t.Setenv("STEPHOST_HOME", dir)
	at := home.At(dir)
	ctx := t.Context()
	require.NoError(t, os.MkdirAll(at.Runs(), 0o700))
	s, err := runs.Open(ctx, at.Runs(), runs.Options{Owners: at.Owners()})
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	o, err := runs.NewOwner(ctx, at.Owners())
	require.NoError(t, err)
	defer func() { assert.NoError(t, o.Close()) }()
	claim, open, err := s.CreateClaimed(ctx, runs.NewRun{Operator: "gpu"}, o)
	require.NoError(t, err)

	var got atomic.Int32
	release := make(chan struct{})
	defer close(release)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch {
		case strings.HasPrefix(r.URL.Path, "/busy"):
			w.WriteHeader(http.StatusServiceUnavailable)
		case strings.HasPrefix(r.URL.Path, "/slow"):
			select {
			case <-release:
			case <-r.Context().Done():
			}
		default:
			got.Add(1)
		}
	}))
	defer srv.Close()
	send := func(was *runs.Run) (sent int32, said string) {
		t.Helper()
		var out, errs bytes.Buffer
		a := &app{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, output: "text"}
		before := got.Load()
		a.sendTrace(ctx, was)
		a.end()
		assert.Empty(t, out.String(), "stdout is the step's")
		return got.Load() - before, errs.String()
	}
	quiet := func(want int32, was *runs.Run) {
		t.Helper()
		sent, said := send(was)
		assert.Equal(t, want, sent)
		assert.Empty(t, said)
	}

	t.Setenv(trace.EnvEndpoint, srv.URL)
	quiet(0, open) // goes on without this process
	for _, to := range []runs.State{runs.Preparing, runs.Ended, runs.Drained, runs.Cleaned, runs.Closed} {
		require.NoError(t, claim.Update(ctx, runs.Relaxed, func(r *runs.Run) ([]runs.Event, error) {
			if r.State = to; to == runs.Preparing {
				r.Attempts = []runs.Attempt{{Number: 1, Key: "k1"}}
			}
			if to == runs.Ended {
				v := runs.Verdict{Class: "config", Phase: "failed", At: time.Now()}
				r.Verdict, r.Attempts[0].Verdict = &v, &v
			}
			return nil, nil
		}))
	}
	closed, err := s.Run(ctx, open.ID)
	require.NoError(t, err)
	quiet(1, open)
	quiet(0, closed) // was over before: whoever closed it has sent it

	t.Setenv(trace.EnvParent, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")
	quiet(0, open) // the caller's trace is not recorded
	t.Setenv(trace.EnvParent, "")
	t.Setenv("OTEL_SDK_DISABLED", "true")
	quiet(0, open)
	t.Setenv("OTEL_SDK_DISABLED", "")
	t.Setenv(trace.EnvEndpoint, "")
	quiet(0, open)

	for at, want := range map[string]string{srv.URL + "/busy": "503", srv.URL + "/slow": "deadline exceeded", "collector:4317": "no http or https URL"} {
		t.Setenv(trace.EnvEndpoint, at)
		began := time.Now()
		_, said := send(open)
		assert.Contains(t, said, want)
		assert.Contains(t, said, "stephost run trace "+open.ID+" --send")
		assert.Equal(t, 1, strings.Count(said, "\n"), "one line: %s", said)
		assert.Less(t, time.Since(began), sendBound+5*time.Second)
	}
}
