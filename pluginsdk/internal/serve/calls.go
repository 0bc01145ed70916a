package serve

import (
	"context"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stephost/stephost/internal/failpoint"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// calls keeps account of the running calls of the contract, so that a stop can
// treat Submit and the others differently. go-plugin's own services are cancelled
// with the others, but do not count.
type calls struct {
	stop context.Context
	// attached: see Bounded.
	attached bool

	mu       sync.Mutex
	running  int // calls of the contract
	submits  int
	stopping bool
	idle     chan struct{} // closed when stopping and submits == 0
}

func newCalls(stop context.Context) *calls {
	return &calls{stop: stop, idle: make(chan struct{})}
}

const contract = "/stephost.operator.v1.StepOperator/"

func (c *calls) enter(method string) error {
	if !strings.HasPrefix(method, contract) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopping || c.stop.Err() != nil {
		return status.Error(codes.Unavailable, "the plugin is stopping")
	}
	c.running++
	if method == operatorv1.StepOperator_Submit_FullMethodName {
		c.submits++
	}
	return nil
}

func (c *calls) leave(method string) {
	if !strings.HasPrefix(method, contract) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running--
	if method == operatorv1.StepOperator_Submit_FullMethodName {
		c.submits--
		if c.stopping && c.submits == 0 {
			close(c.idle)
		}
	}
}

// wait refuses new calls and waits for running Submits, at most limit. It tells
// whether any call was running.
func (c *calls) wait(limit time.Duration) (inFlight bool) {
	c.mu.Lock()
	c.stopping = true
	inFlight = c.running > 0
	submits := c.submits
	c.mu.Unlock()
	if submits == 0 {
		return inFlight
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-c.idle:
	case <-timer.C:
	}
	return inFlight
}

// scope is the context a handler gets.
func (c *calls) scope(ctx context.Context, method string) (context.Context, context.CancelFunc) {
	if c.attached {
		ctx = context.WithValue(ctx, attachedKey{}, true)
	}
	if method == operatorv1.StepOperator_Submit_FullMethodName {
		// gRPC cancels the context when the connection breaks, that is, when the
		// host dies. A creating call that is cut off then leaves a job without a
		// handle, or takes the job with it. The deadline that the host gave
		// holds.
		detached := context.WithoutCancel(ctx)
		if at, ok := ctx.Deadline(); ok {
			return context.WithDeadline(detached, at)
		}
		return detached, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	release := context.AfterFunc(c.stop, cancel)
	return ctx, func() { release(); cancel() }
}

func (c *calls) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) {
	if err := c.enter(info.FullMethod); err != nil {
		return nil, err
	}
	defer c.leave(info.FullMethod)
	ctx, cancel := c.scope(ctx, info.FullMethod)
	defer cancel()
	defer recovered(info.FullMethod, &err)
	point := failpointName(info.FullMethod)
	failpoint.Hit(point)
	defer failpoint.Hit(point + "-done")
	return handler(ctx, req)
}

func (c *calls) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	if err := c.enter(info.FullMethod); err != nil {
		return err
	}
	defer c.leave(info.FullMethod)
	ctx, cancel := c.scope(ss.Context(), info.FullMethod)
	defer cancel()
	defer recovered(info.FullMethod, &err)
	point := failpointName(info.FullMethod)
	failpoint.Hit(point)
	defer failpoint.Hit(point + "-done")
	return handler(srv, scopedStream{ServerStream: ss, ctx: ctx})
}

// failpointName is "plugin-" and the call's name in lower case.
func failpointName(method string) string {
	if !failpoint.Enabled {
		return ""
	}
	return "plugin-" + strings.ToLower(method[strings.LastIndexByte(method, '/')+1:])
}

// scopedStream is a stream with another context.
type scopedStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s scopedStream) Context() context.Context { return s.ctx }

var (
	_ grpc.UnaryServerInterceptor  = (*calls)(nil).unary
	_ grpc.StreamServerInterceptor = (*calls)(nil).stream
	_ grpc.ServerStream            = scopedStream{}
)
