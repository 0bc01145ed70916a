package process

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc"

	"github.com/stephost/stephost/proto/stephost/lifeline"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// callCount counts the Submits in flight: a stop has more patience with those.
type callCount struct{ submits atomic.Int64 }

func newCallCount() *callCount { return &callCount{} }

func (c *callCount) dialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(c.unary),
		grpc.WithInitialWindowSize(streamWindow),
		grpc.WithInitialConnWindowSize(connWindow),
		// After go-plugin's own options, which allow 2 GiB.
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(lifeline.MaxMessage),
			grpc.MaxCallSendMsgSize(lifeline.MaxMessage),
		),
		// The environment's proxies are for the plugin, not for its socket.
		grpc.WithNoProxy(),
	}
}

func (c *callCount) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if method == operatorv1.StepOperator_Submit_FullMethodName {
		c.submits.Add(1)
		defer c.submits.Add(-1)
	}
	return invoke(ctx, method, req, reply, cc, opts...)
}

var _ grpc.UnaryClientInterceptor = (*callCount)(nil).unary
