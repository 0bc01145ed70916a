package process

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stephost/stephost/proto/stephost/lifeline"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

const (
	// explainLimit is how long Explain waits for the end of a process whose
	// connection broke: the two are told by different parts of the kernel.
	explainLimit = 3 * time.Second
	// PingTimeout bounds Ping. An answer comes from memory, in microseconds; a
	// machine under load may take seconds.
	PingTimeout = 5 * time.Second
)

// Plugin is one use of a running plugin process; others may use the same process.
// It is safe for concurrent use. It stays bound to its process: after a crash,
// Release it and Acquire again.
type Plugin struct {
	proc *process
	once sync.Once
}

// Client is the contract. Its errors are gRPC's; give them to Explain. Calls have
// no deadline of their own: a stopped process answers nothing, so give every call
// a context that ends.
func (p *Plugin) Client() operatorv1.StepOperatorClient { return p.proc.operator }

// Metadata is the plugin's answer on first contact. Not to be modified.
func (p *Plugin) Metadata() *operatorv1.GetMetadataResponse { return p.proc.metadata }

// PID is the process, for messages.
func (p *Plugin) PID() int { return p.proc.st.child.pid }

// Done is closed when the process has ended and Err tells how.
func (p *Plugin) Done() <-chan struct{} { return p.proc.done }

// Err is nil while the process runs, ErrStopped after a stop by the host, else a
// *CrashError.
func (p *Plugin) Err() error {
	select {
	case <-p.proc.done:
		return p.proc.err
	default:
		return nil
	}
}

// Ping asks the plugin for a sign of life, within PingTimeout.
func (p *Plugin) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, PingTimeout)
	defer cancel()
	_, err := p.proc.operator.GetMetadata(ctx, &operatorv1.GetMetadataRequest{
		HostVersion: p.proc.manager.o.HostVersion, HostCapabilities: p.proc.manager.o.HostCapabilities,
	})
	return p.Explain(ctx, err)
}

// Abandon kills a process that gives no sign of life; whoever uses it gets a
// *CrashError, and the next Acquire starts another.
func (p *Plugin) Abandon() {
	p.proc.log.Warn("the plugin does not answer and is ended", "pid", p.PID())
	p.proc.st.child.kill()
}

// Release gives the process back. The last user's release starts the linger time.
// Calling it again does nothing.
func (p *Plugin) Release() { p.once.Do(func() { p.proc.manager.release(p.proc) }) }

// Explain says what an error of a call means: *CrashError when the process has
// ended (it waits for that, at most 3 s or until ctx is done, when the connection
// broke), ErrStopped when the host has stopped it, *CallError when the plugin
// lives and the call could not be made or its handler panicked. Everything else,
// nil included, comes back as it is. status.Code works on all of them.
func (p *Plugin) Explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	code := status.Code(err)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		code = status.FromContextError(err).Code()
	}
	if code == codes.Unavailable || broken(err) {
		timer := time.NewTimer(explainLimit)
		defer timer.Stop()
		select {
		case <-p.proc.done:
		case <-ctx.Done():
		case <-timer.C:
		}
		var crash *CrashError
		switch end := p.Err(); {
		case end == nil:
			return err
		case errors.As(end, &crash):
			met := *crash
			met.Err = err
			return &met
		default:
			return fmt.Errorf("%w: %w", end, err)
		}
	}
	return p.proc.callError(code, err)
}

// broken tells a code that gRPC itself makes of a connection that breaks in the
// middle of a message, or that was closed, from one that a handler has returned.
func broken(err error) bool {
	st := status.Convert(err)
	switch st.Code() {
	case codes.Internal:
		return strings.Contains(st.Message(), "stream terminated by RST_STREAM") || strings.Contains(st.Message(), "unexpected EOF")
	case codes.Canceled:
		return strings.Contains(st.Message(), "client connection is closing")
	}
	return false
}

// callError explains errors of a plugin that lives.
func (p *process) callError(code codes.Code, err error) error {
	text := status.Convert(err).Message()
	e := &CallError{Flavor: p.spec.Flavor, Err: err}
	switch {
	case code == codes.ResourceExhausted && strings.Contains(text, "message larger than max"):
		e.Summary = fmt.Sprintf("a message is larger than the limit of %d MiB", lifeline.MaxMessage>>20)
		e.Detail = "gRPC says: " + text
		e.Next = "make config, settings, arguments or environment smaller; large data belongs in files"
	case code == codes.Internal && strings.HasPrefix(text, "panic in "):
		e.Summary = "the plugin's code failed: " + firstLine(text)
		e.Detail = p.st.err.callPanic()
		e.Next = "report it with this text to the author of flavor " + p.spec.Flavor
	default:
		return err
	}
	return e
}
