package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	modal "github.com/modal-labs/modal-client/go"
	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
)

// afterLife is how long a client that was dropped stays open: longer than any
// call that may still be using it.
const afterLife = 5 * time.Minute

// Options of a login. What is empty comes from the environment variables MODAL_*
// and from .modal.toml, as everywhere in Modal's tools.
type Options struct {
	TokenID, TokenSecret, Environment string
}

// Client is one login.
type Client struct {
	// SDK is the vendor's client, Stub the vendor's stub on its connection, with
	// all that the SDK adds to a call.
	SDK  *modal.Client
	Stub pb.ModalClientClient

	conn    *grpc.ClientConn
	mu      sync.Mutex
	routers map[string]*grpc.ClientConn
	closed  bool
}

// New makes a client. It calls nobody.
func New(ctx context.Context, o Options) (*Client, error) {
	c := &Client{routers: map[string]*grpc.ClientConn{}}
	// The pause between retries of a throttled call is the caller's to choose: the
	// SDK would wait without end.
	never := time.Duration(0)
	sdk, err := modal.NewClientWithOptions(&modal.ClientParams{
		TokenID: o.TokenID, TokenSecret: o.TokenSecret, Environment: o.Environment,
		// What it has to say comes back as an error, too.
		Logger: slog.New(slog.DiscardHandler), MaxThrottleWait: &never,
		GRPCUnaryInterceptors: []grpc.UnaryClientInterceptor{c.intercept},
	})
	if err != nil {
		return nil, &LoginError{err}
	}
	c.SDK = sdk
	// The SDK does not give its connection away, but an interceptor is told of it.
	// This call ends there, before anything is sent.
	_, err = sdk.Apps.FromName(context.WithValue(ctx, reveal{}, true), "stephost", nil)
	if c.conn == nil {
		sdk.Close()
		return nil, &LoginError{err}
	}
	c.Stub = pb.NewModalClientClient(c.conn)
	return c, nil
}

// reveal marks the call that only asks for the connection.
type reveal struct{}

var errRevealed = errors.New("the connection is known")

// Creating calls are made once. Their names are those of the service.
func creating(method string) bool {
	return strings.HasSuffix(method, "/SandboxCreate") || strings.HasSuffix(method, "/SandboxCreateV2")
}

// intercept is behind all that the SDK does with a call.
func (c *Client) intercept(ctx context.Context, method string, in, out any, conn *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if ctx.Value(reveal{}) != nil {
		c.conn = conn
		return errRevealed
	}
	err := next(ctx, method, in, out, conn, opts...)
	if creating(method) {
		if sent, ok := ctx.Value(sent{}).(*bool); ok {
			*sent = true
		}
		if err != nil {
			// The SDK repeats what it takes for a gRPC error, and nothing else.
			return &onceError{err}
		}
	}
	return err
}

// sent marks a context whose creating call tells whether it was sent.
type sent struct{}

// onceError hides a gRPC status from the SDK, which unwraps errors to find one.
type onceError struct{ err error }

// Error is the text of the status.
func (e *onceError) Error() string { return e.err.Error() }

// Once makes a creating call. begun tells whether it was sent: an error with
// begun = false is from something that had to come before, and nothing exists.
func Once[In, Out any](ctx context.Context, call func(context.Context, *In, ...grpc.CallOption) (*Out, error), in *In) (out *Out, begun bool, err error) {
	out, err = call(context.WithValue(ctx, sent{}, &begun), in)
	var once *onceError
	if errors.As(err, &once) {
		err = once.err
	}
	return out, begun, err
}

// Connected waits until the service is connected. Where that fails, nothing was
// sent.
func (c *Client) Connected(ctx context.Context) error {
	for {
		state := c.conn.GetState()
		switch state {
		case connectivity.Ready:
			return nil
		case connectivity.Idle:
			c.conn.Connect()
		case connectivity.TransientFailure:
			return &ConnectError{c.conn.Target()}
		}
		if !c.conn.WaitForStateChange(ctx, state) {
			return &ConnectError{c.conn.Target()}
		}
	}
}

// local tells whether the service is on this machine, as in tests: its machines
// are then spoken to without TLS, as the SDK has it.
func (c *Client) local() bool {
	host, _, err := net.SplitHostPort(c.conn.Target())
	return err == nil && (host == "localhost" || net.ParseIP(host).IsLoopback())
}

// Release closes the client once the calls that may use it are over.
func (c *Client) Release() { time.AfterFunc(afterLife, c.Close) }

// Close closes the client.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	routers := c.routers
	c.routers = nil
	c.mu.Unlock()
	for _, conn := range routers {
		_ = conn.Close()
	}
	c.SDK.Close()
}

// ConnectError says that no connection could be made: nothing was sent.
type ConnectError struct{ address string }

// Error names the address.
func (e *ConnectError) Error() string { return "no connection to " + e.address }

// LoginError says that there are no credentials, or that they cannot be used.
type LoginError struct{ err error }

// Error says why.
func (e *LoginError) Error() string { return fmt.Sprintf("signing in to Modal: %s", e.err) }

// Unwrap returns the cause.
func (e *LoginError) Unwrap() error { return e.err }
