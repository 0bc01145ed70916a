//go:build !front

package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/trace"
)

// sendBound is how long the end of a launch waits for the receiver of traces:
// the step is over and its exit code is waited for. `run trace --send` makes up
// for what it misses.
const sendBound = 2 * time.Second

// sentTrace is what `run trace --send` says.
type sentTrace struct {
	Run      string `json:"run"`
	TraceID  string `json:"trace_id"`
	Spans    int    `json:"spans"`
	Endpoint string `json:"endpoint"`
}

func (a *app) runTraceCommand() *cobra.Command {
	var send bool
	return a.oneRun("trace RUN", "Print the OpenTelemetry trace of a run, or send it", cobra.Command{
		Long: `Print the OpenTelemetry trace of a run as OTLP/JSON, or send it.

The trace is made from the run's record: it is the same each time, also for a run
that passed through several processes. Its ID is that of the run, or that of
TRACEPARENT, whose span then becomes the parent of the run's.

--send posts it to OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, or to
OTEL_EXPORTER_OTLP_ENDPOINT with /v1/traces added, with the headers of
OTEL_EXPORTER_OTLP_HEADERS. Where one of the endpoints is set, a launch sends the
trace at its end by itself.`,
		Example: `  stephost run trace 01K3 > trace.json
  OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 stephost run trace 01K3 --send`,
	}, func(c *cobra.Command) {
		c.Flags().BoolVar(&send, "send", false, "send the trace to the receiver that the environment names")
	}, func(ctx context.Context, r *runs.Run) error {
		if !send {
			t, err := a.traceOf(ctx, r)
			if err != nil {
				return err
			}
			return a.encode(t)
		}
		to, err := trace.FromEnv(os.Getenv)
		if err != nil {
			return err
		}
		if to == nil {
			return &problem.Error{Summary: "nothing says where the trace shall go", Run: r.ID,
				Next: fmt.Sprintf("set %s=http://HOST:4318 (a collector's OTLP/HTTP address), or %s to the full URL", trace.EnvEndpoint, trace.EnvTracesEndpoint)}
		}
		t, err := a.traceOf(ctx, r)
		if err != nil {
			return err
		}
		if err := trace.Export(ctx, to.Endpoint, to.Headers, t); err != nil {
			return err
		}
		sent := sentTrace{Run: r.ID, TraceID: t.ID.String(), Spans: len(t.Spans), Endpoint: trace.Shown(to.Endpoint)}
		return a.item(sent, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "Sent trace %s of run %s (%d spans) to %s.\n", sent.TraceID, sent.Run, sent.Spans, sent.Endpoint)
			return err
		})
	})
}

// traceOf makes the trace of a run, as a part of the caller's where there is
// one.
func (a *app) traceOf(ctx context.Context, r *runs.Run) (*trace.Trace, error) {
	store, err := a.store(ctx)
	if err != nil {
		return nil, err
	}
	events, err := store.Events(ctx, r.ID, 0)
	if err != nil {
		return nil, err
	}
	return trace.Build(r, events).Under(a.traceParent()), nil
}

// traceParent is the caller's span, or nil. A malformed one is none, as W3C
// Trace Context wants it.
func (a *app) traceParent() *trace.Parent {
	text := os.Getenv(trace.EnvParent)
	if text == "" {
		return nil
	}
	p, err := trace.ParseParent(text)
	if err != nil {
		a.warn(fmt.Sprintf("%s is left out: %v.", trace.EnvParent, err))
	}
	return p
}

// sendTrace sends the trace of a run that was closed behind was, at the end of
// the launch that saw it close, where the environment names a receiver. It never
// fails a launch: what goes wrong is one line of warning. A run that goes on
// without this process, or that was over before, is not sent.
func (a *app) sendTrace(ctx context.Context, was *runs.Run) {
	to, err := trace.FromEnv(os.Getenv)
	if to == nil || to.Off {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendBound)
	defer cancel()
	if err == nil {
		err = a.sendClosed(ctx, to, was)
	}
	if err != nil {
		a.warn(fmt.Sprintf("%s. `stephost run trace %s --send` sends it again.", problem.Bound(oneLine(err.Error()), 500), was.ID))
	}
}

func (a *app) sendClosed(ctx context.Context, to *trace.Receiver, was *runs.Run) error {
	store, err := a.store(ctx)
	if err != nil {
		return err
	}
	r, err := store.Run(ctx, was.ID)
	if err != nil || r.State != runs.Closed || r.ClosedAt.Equal(was.ClosedAt) {
		return err
	}
	if p := a.traceParent(); p != nil && !p.Sampled {
		return nil // whoever asked for the run does not record its own trace either
	}
	t, err := a.traceOf(ctx, r)
	if err != nil {
		return err
	}
	return trace.Export(ctx, to.Endpoint, to.Headers, t)
}
