package serve

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

const (
	submitMethod = operatorv1.StepOperator_Submit_FullMethodName
	planMethod   = operatorv1.StepOperator_Plan_FullMethodName
	watchMethod  = operatorv1.StepOperator_Watch_FullMethodName
)

// begin runs a unary call whose handler returns when release is closed or its
// context ends.
func begin(t *testing.T, c *calls, ctx context.Context, method string) (release chan struct{}, result chan error) {
	t.Helper()
	release, result = make(chan struct{}), make(chan error, 1)
	running := make(chan struct{})
	go func() {
		_, err := c.unary(ctx, nil, &grpc.UnaryServerInfo{FullMethod: method}, func(ctx context.Context, _ any) (any, error) {
			close(running)
			select {
			case <-release:
				return nil, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		})
		result <- err
	}()
	<-running
	return release, result
}

func TestAStopCancelsEverythingButSubmit(t *testing.T) {
	stop, now := context.WithCancel(context.Background())
	c := newCalls(stop)
	finish, submitted := begin(t, c, context.Background(), submitMethod)
	_, planned := begin(t, c, context.Background(), planMethod)
	now()
	require.ErrorIs(t, <-planned, context.Canceled)

	waited := make(chan bool, 1)
	go func() { waited <- c.wait(hang) }()
	require.Eventually(t, func() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.stopping }, hang, time.Millisecond)
	_, err := c.unary(context.Background(), nil, &grpc.UnaryServerInfo{FullMethod: planMethod}, nil)
	require.Equal(t, codes.Unavailable, status.Code(err), "new calls are refused")
	select {
	case <-waited:
		t.Fatal("did not wait for Submit")
	default:
	}
	close(finish)
	require.NoError(t, <-submitted)
	require.True(t, <-waited)
}

func TestWaitEndsAtItsLimit(t *testing.T) {
	c := newCalls(context.Background())
	finish, submitted := begin(t, c, context.Background(), submitMethod)
	require.True(t, c.wait(time.Millisecond))
	close(finish)
	require.NoError(t, <-submitted)
}

func TestWaitOfAnIdlePluginIsNone(t *testing.T) {
	require.False(t, newCalls(context.Background()).wait(hang))
}

func TestSubmitKeepsItsContextButForTheDeadline(t *testing.T) {
	c := newCalls(context.Background())
	t.Run("a broken connection", func(t *testing.T) {
		ctx, broken := context.WithCancel(context.Background())
		finish, submitted := begin(t, c, ctx, submitMethod)
		broken()
		close(finish)
		require.NoError(t, <-submitted)
	})
	t.Run("the deadline that the host gave", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		_, submitted := begin(t, c, ctx, submitMethod)
		require.ErrorIs(t, <-submitted, context.DeadlineExceeded)
	})
	t.Run("others lose it", func(t *testing.T) {
		ctx, broken := context.WithCancel(context.Background())
		_, planned := begin(t, c, ctx, planMethod)
		broken()
		require.ErrorIs(t, <-planned, context.Canceled)
	})
}

type fakeStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s fakeStream) Context() context.Context { return s.ctx }

func TestStreams(t *testing.T) {
	stop, now := context.WithCancel(context.Background())
	c := newCalls(stop)
	run := func(method string, h grpc.StreamHandler) error {
		return c.stream(nil, fakeStream{ctx: context.Background()}, &grpc.StreamServerInfo{FullMethod: method}, h)
	}
	err := run(watchMethod, func(_ any, s grpc.ServerStream) error {
		now()
		<-s.Context().Done()
		return nil
	})
	require.NoError(t, err)
	err = run(watchMethod, func(any, grpc.ServerStream) error { return nil })
	require.Equal(t, codes.Unavailable, status.Code(err))
}

func TestPanics(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	old := os.Stderr
	os.Stderr = w
	t.Cleanup(func() { os.Stderr = old })

	c := newCalls(context.Background())
	_, err = c.unary(context.Background(), nil, &grpc.UnaryServerInfo{FullMethod: planMethod}, func(context.Context, any) (any, error) {
		panic(strings.Repeat("boom ", 1000))
	})
	require.Equal(t, codes.Internal, status.Code(err))
	require.True(t, strings.HasPrefix(status.Convert(err).Message(), "panic in Plan: boom "))
	require.Less(t, len(err.Error()), panicValueLimit+200)
	require.Zero(t, c.running, "counted out")

	w.Close()
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(text), "stephost: panic in Plan: boom"))
	require.Contains(t, string(text), "calls_test.go")
	require.True(t, strings.HasSuffix(string(text), "stephost: end of panic\n"))
}
