package cloudfake

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// health counts what was carried out.
type health struct {
	healthpb.UnimplementedHealthServer
	done atomic.Int64
}

func (h *health) Check(context.Context, *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	h.done.Add(1)
	return &healthpb.HealthCheckResponse{}, nil
}

func (h *health) Watch(_ *healthpb.HealthCheckRequest, out grpc.ServerStreamingServer[healthpb.HealthCheckResponse]) error {
	h.done.Add(1)
	return out.Send(&healthpb.HealthCheckResponse{})
}

// TestGRPCFaults: each fault befalls calls in the service or on the wire.
func TestGRPCFaults(t *testing.T) {
	plan := &Plan{}
	g := &GRPC{
		Plan: plan, Refuse: func(f Fault) error { return status.Error(codes.ResourceExhausted, string(f.Kind)) },
		About: func(in any) []string { return []string{in.(*healthpb.HealthCheckRequest).GetService()} },
	}
	service := &health{}
	server := grpc.NewServer(grpc.UnaryInterceptor(g.Unary), grpc.StreamInterceptor(g.Stream))
	healthpb.RegisterHealthServer(server, service)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = server.Serve(g.Listen(l)) }()
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	client := healthpb.NewHealthClient(conn)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	for kind, c := range map[Kind]struct {
		code    codes.Code
		at, end int64 // carried out when the call is over, and at last
		takes   time.Duration
	}{
		Throttled: {code: codes.ResourceExhausted},
		Drop:      {code: codes.Unavailable},
		ReplyLost: {code: codes.Unavailable, at: 1, end: 1},
		LandsLate: {code: codes.Unavailable, end: 1},
		Slow:      {code: codes.OK, at: 1, end: 1, takes: 300 * time.Millisecond},
	} {
		t.Run(string(kind), func(t *testing.T) {
			service.done.Store(0)
			plan.Clear()
			plan.Add(Rule{Op: "Check", Match: "this", Times: 1, Fault: Fault{Kind: kind, DelayMS: 300}})
			_, err := client.Check(ctx, &healthpb.HealthCheckRequest{Service: "another"}, grpc.WaitForReady(true))
			require.NoError(t, err, "it is not about this one")
			service.done.Store(0)
			begun := time.Now()
			_, err = client.Check(ctx, &healthpb.HealthCheckRequest{Service: "this"}, grpc.WaitForReady(true))
			assert.Equal(t, c.code, status.Code(err), "%v", err)
			assert.Equal(t, c.at, service.done.Load())
			assert.GreaterOrEqual(t, time.Since(begun), c.takes)
			assert.Eventually(t, func() bool { return service.done.Load() == c.end }, time.Minute, 10*time.Millisecond)
		})
	}
	t.Run("streams", func(t *testing.T) {
		for kind, code := range map[Kind]codes.Code{Throttled: codes.ResourceExhausted, Drop: codes.Unavailable, Slow: codes.OK} {
			plan.Clear()
			plan.Add(Rule{Op: "Watch", Times: 1, Fault: Fault{Kind: kind, DelayMS: 10}})
			stream, err := client.Watch(ctx, &healthpb.HealthCheckRequest{}, grpc.WaitForReady(true))
			require.NoError(t, err)
			_, err = stream.Recv()
			assert.Equal(t, code, status.Code(err), "%s: %v", kind, err)
		}
	})
}
