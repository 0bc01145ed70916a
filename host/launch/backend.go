package launch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/process"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// Bounds of the calls to a plugin. They are for hangs: a call that answers at
// all answers much sooner, and what takes long is a stream.
const (
	// askBound bounds the calls that only read (Scope, Validate, Plan, Find).
	askBound = time.Minute
	// submitBound bounds Submit: the contract gives it 60 s, and 10 s are the
	// plugin's own time after the host is gone.
	submitBound = 70 * time.Second
	// cancelBound and cleanupBound bound single calls; both are repeated.
	cancelBound  = time.Minute
	cleanupBound = time.Minute
	// prepareBound bounds the whole Prepare stream; images of many GB are
	// pushed in it.
	prepareBound = 2 * time.Hour
	// attachedBound replaces the shorter ones for a plugin under a debugger: its
	// author thinks at a breakpoint.
	attachedBound = 4 * time.Hour
)

// Backoff of repeated questions. The first repetition is quick because most
// faults are a process that was just restarted.
const (
	askAgainFirst = 200 * time.Millisecond
	askAgainMost  = 30 * time.Second
)

// backend is a run's access to its flavor's plugin process. The process is
// shared and disposable: it is acquired when a call needs it, and again after a
// crash.
type backend struct {
	processes *process.Manager
	spec      process.Spec

	mu     sync.Mutex
	plugin *process.Plugin
}

func newBackend(m *process.Manager, spec process.Spec) *backend {
	return &backend{processes: m, spec: spec}
}

// acquire returns a live process, starting one where there is none.
func (b *backend) acquire(ctx context.Context) (*process.Plugin, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.plugin != nil {
		select {
		case <-b.plugin.Done():
			b.plugin.Release()
			b.plugin = nil
		default:
			return b.plugin, nil
		}
	}
	p, err := b.processes.Acquire(ctx, b.spec)
	if err != nil {
		return nil, err
	}
	b.plugin = p
	return p, nil
}

func (b *backend) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.plugin != nil {
		b.plugin.Release()
		b.plugin = nil
	}
}

// call makes one call with its bound. The error names the crash where the
// process died of it.
func (b *backend) call(ctx context.Context, bound time.Duration, fn func(context.Context, operatorv1.StepOperatorClient) error) error {
	p, err := b.acquire(ctx)
	if err != nil {
		return err
	}
	if b.spec.Attached {
		bound = attachedBound
	}
	limited, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	if err := fn(limited, p.Client()); err != nil {
		return p.Explain(limited, err)
	}
	return nil
}

// unanswered ends the plugin's process when it gives no sign of life at all: a stopped
// or hanging one would be waited for without an end, and a cancel could not reach the
// job. The next call starts another.
func (b *backend) unanswered(ctx context.Context) {
	b.mu.Lock()
	p := b.plugin
	b.mu.Unlock()
	if p == nil || b.spec.Attached {
		return // a person may have stopped it, in a debugger
	}
	if err := p.Ping(ctx); status.Code(err) == codes.DeadlineExceeded && ctx.Err() == nil {
		p.Abandon()
	}
}

// ask repeats an idempotent call while the transport fails or the plugin
// crashed, until ctx ends. Errors that repeating does not mend (the plugin
// cannot be started, the pin does not fit, the call is refused) come back at
// once; a plugin that somebody kills at every start, after killedMost.
func (b *backend) ask(ctx context.Context, bound time.Duration, trouble func(error), fn func(context.Context, operatorv1.StepOperatorClient) error) error {
	again := newBackoff()
	var kills kills
	for {
		err := b.call(ctx, bound, fn)
		if err == nil || !transient(err) || ctx.Err() != nil || kills.enough(err) {
			return err
		}
		if status.Code(err) == codes.DeadlineExceeded {
			b.unanswered(ctx)
		}
		if trouble != nil {
			trouble(err)
		}
		if err := pause(ctx, again.NextBackOff()); err != nil {
			return err
		}
	}
}

func newBackoff() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = askAgainFirst, askAgainMost
	return b
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// killedMost bounds how long a plugin that is killed whenever it starts is started
// again: whoever ends it (a person, the kernel for want of memory) is done by then, or
// goes on for good.
const killedMost = 5 * time.Minute

// kills measures for how long a plugin was killed at every start.
type kills struct{ since time.Time }

// enough takes the next error and tells whether it has gone on for too long.
func (k *kills) enough(err error) bool {
	switch {
	case !killedAtStart(err):
		k.since = time.Time{}
	case k.since.IsZero():
		k.since = time.Now()
	}
	return !k.since.IsZero() && time.Since(k.since) > killedMost
}

// Passes tells whether driving the run again may succeed although nobody has done
// anything about err: the store has no room, a process was killed, the transport
// failed. Everything else waits for a person.
func Passes(err error) bool {
	var (
		leftovers *LeftoversError
		log       *LogError
		start     *process.StartError
	)
	switch {
	case unwritable(err), transient(err), errors.As(err, &log):
		return true
	case errors.As(err, &leftovers):
		var cause *AskError
		return errors.As(err, &cause) && cause.passes()
	case errors.As(err, &start): // a machine under load
		return errors.Is(err, context.DeadlineExceeded)
	}
	return false
}

// transient tells whether the same call may succeed later: the process died, also
// while it started, or the transport failed.
func transient(err error) bool {
	var crash *process.CrashError
	if errors.As(err, &crash) || killedAtStart(err) {
		return true
	}
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Aborted:
		return true
	default:
		return false
	}
}

// couldNotAsk turns the contract's answer into an error for messages.
func couldNotAsk(c *operatorv1.CouldNotAsk) *AskError {
	text := c.GetDiagnostic().GetSummary()
	if detail := c.GetDiagnostic().GetDetail(); detail != "" {
		text += ": " + detail
	}
	if text == "" {
		text = "no reason given"
	}
	return &AskError{Reason: c.GetReason(), Text: problem.Bound(text, 1<<10)}
}

// AskError says that the backend gave no answer. Nothing follows from it.
type AskError struct {
	Reason operatorv1.CouldNotAsk_Reason
	Text   string
}

// passes tells whether waiting may mend it. Credentials and scopes need a
// person.
func (e *AskError) passes() bool {
	return e.Reason != operatorv1.CouldNotAsk_REASON_AUTH && e.Reason != operatorv1.CouldNotAsk_REASON_WRONG_SCOPE
}

func (e *AskError) Error() string {
	words := map[operatorv1.CouldNotAsk_Reason]string{
		operatorv1.CouldNotAsk_REASON_UNREACHABLE: "cannot be reached",
		operatorv1.CouldNotAsk_REASON_THROTTLED:   "asks to slow down",
		operatorv1.CouldNotAsk_REASON_AUTH:        "refuses the credentials",
		operatorv1.CouldNotAsk_REASON_WRONG_SCOPE: "is another one than the run was sent to",
	}
	word := words[e.Reason]
	if word == "" {
		word = "could not be asked"
	}
	return fmt.Sprintf("the backend %s: %s", word, e.Text)
}

// firstError is the first diagnostic of severity error, or nil.
func firstError(diags []*operatorv1.Diagnostic) *operatorv1.Diagnostic {
	for _, d := range diags {
		if d.GetSeverity() == operatorv1.Severity_SEVERITY_ERROR {
			return d
		}
	}
	return nil
}

// diagnosticText is one paragraph for a record.
func diagnosticText(d *operatorv1.Diagnostic) string {
	text := d.GetSummary()
	// A summary that had to be cut is the beginning of the detail.
	if cut := strings.TrimSuffix(text, "..."); strings.HasPrefix(d.GetDetail(), cut) {
		text = d.GetDetail()
	} else if d.GetDetail() != "" {
		text += ": " + d.GetDetail()
	}
	return problem.Bound(text, 2<<10)
}
