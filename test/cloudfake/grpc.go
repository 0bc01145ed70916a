package cloudfake

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// GRPC lets the faults of a Plan befall the calls of gRPC services: Unary and
// Stream are interceptors, and Listen wraps the server's listener, so that a
// connection can be cut.
type GRPC struct {
	Plan *Plan
	// Refuse says a fault as the service would; it is given the kinds from
	// Throttled to Capacity only.
	Refuse func(Fault) error
	// About is what a message is about, for rules; nil = nothing.
	About func(in any) []string

	mu   sync.Mutex
	open map[string]net.Conn
}

// Unary counts a call and lets its fault befall it.
func (g *GRPC) Unary(ctx context.Context, in any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	var about []string
	if g.About != nil {
		about = g.About(in)
	}
	f := g.Plan.Call(operation(info.FullMethod), about...)
	if f == nil {
		return next(ctx, in)
	}
	switch f.Kind {
	case Drop:
		g.hangUp(ctx)
		return nil, status.Error(codes.Unavailable, "dropped")
	case ReplyLost:
		_, err := next(context.WithoutCancel(ctx), in)
		g.hangUp(ctx)
		return nil, errors.Join(status.Error(codes.Unavailable, "lost"), err)
	case LandsLate:
		late := proto.Clone(in.(proto.Message))
		time.AfterFunc(ms(f.DelayMS), func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lateMost)
			defer cancel()
			_, _ = next(ctx, late) // nobody waits for the answer
		})
		g.hangUp(ctx)
		return nil, status.Error(codes.Unavailable, "late")
	case Slow:
		out, err := next(ctx, in)
		pause(ctx, ms(f.DelayMS))
		return out, err
	}
	return nil, g.Refuse(*f)
}

// Stream does the same for a call that streams, which a fault ends at its
// beginning. What it is about is not known yet.
func (g *GRPC) Stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	f := g.Plan.Call(operation(info.FullMethod))
	if f == nil {
		return next(srv, stream)
	}
	switch f.Kind {
	case Drop, ReplyLost, LandsLate:
		g.hangUp(stream.Context())
		return status.Error(codes.Unavailable, "dropped")
	case Slow:
		pause(stream.Context(), ms(f.DelayMS))
		return next(srv, stream)
	}
	return g.Refuse(*f)
}

// operation is the last part of a method's name.
func operation(method string) string { return method[strings.LastIndexByte(method, '/')+1:] }

// Listen wraps a listener.
func (g *GRPC) Listen(l net.Listener) net.Listener { return &listener{l, g} }

type listener struct {
	net.Listener
	g *GRPC
}

// Accept remembers the connection.
func (l *listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.g.mu.Lock()
	defer l.g.mu.Unlock()
	if l.g.open == nil {
		l.g.open = map[string]net.Conn{}
	}
	l.g.open[conn.RemoteAddr().String()] = conn
	return conn, nil
}

// hangUp closes the connection of a call.
func (g *GRPC) hangUp(ctx context.Context) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return
	}
	g.mu.Lock()
	conn := g.open[p.Addr.String()]
	delete(g.open, p.Addr.String())
	g.mu.Unlock()
	if conn != nil {
		_ = conn.Close()
	}
}
