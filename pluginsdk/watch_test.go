package pluginsdk

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// collect reads a Watch stream to its end.
func collect(t *testing.T, s watchStream) []*operatorv1.WatchResponse {
	t.Helper()
	var all []*operatorv1.WatchResponse
	for {
		m, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		all = append(all, m)
	}
}

func terminals(all []*operatorv1.WatchResponse) (ts []*operatorv1.Terminal) {
	for _, m := range all {
		if m.GetTerminal() != nil {
			ts = append(ts, m.GetTerminal())
		}
	}
	return ts
}

func TestWatchPolls(t *testing.T) {
	states := []Status{
		{Phase: Queued, Reason: "Waiting"},
		{Phase: Queued, Reason: "Waiting"},
		{Phase: Running},
		{Phase: Provisioning}, // without one more restart the phase stays
		{Phase: Provisioning, Restarts: 1},
		{Phase: Failed, ExitCode: Exit(3), Restarts: 1},
	}
	var calls atomic.Int32
	b := &bench{onStatus: func(_ context.Context, h Handle) (Status, error) {
		assert.Equal(t, testKey, h.Key)
		assert.Equal(t, "h", string(h.Data))
		return states[min(int(calls.Add(1)), len(states))-1], nil
	}}
	c := serveTest(t, benchManifest("cancel"), RemoteOf[benchConfig](b))
	all := collect(t, openWatch(t, c, "", time.Minute))

	var phases []operatorv1.Phase
	last := uint64(0)
	for _, m := range all {
		if st := m.GetStatus(); st != nil {
			phases = append(phases, st.GetPhase())
			assert.Greater(t, st.GetSequence(), last)
			assert.NotNil(t, st.GetObservedAt())
			last = st.GetSequence()
		}
	}
	assert.Equal(t, []operatorv1.Phase{
		operatorv1.Phase_PHASE_QUEUED, operatorv1.Phase_PHASE_RUNNING, operatorv1.Phase_PHASE_PROVISIONING}, phases)
	require.Len(t, terminals(all), 1)
	last1 := all[len(all)-1].GetTerminal()
	require.NotNil(t, last1, "the terminal event is the last message")
	assert.Equal(t, operatorv1.Class_CLASS_USER, last1.GetClass())
	assert.Equal(t, int32(3), last1.GetExitCode())
	assert.Equal(t, int32(1), last1.GetRestarts())

	// Callable again after the end: the terminal event at once.
	again := collect(t, openWatch(t, c, "", time.Minute))
	require.Len(t, again, 1)
	assert.Equal(t, operatorv1.Phase_PHASE_FAILED, again[0].GetTerminal().GetPhase())
}

func TestWatchCouldNotAsk(t *testing.T) {
	tests := map[string]struct {
		err    error
		reason operatorv1.CouldNotAsk_Reason
	}{
		"any error":   {errors.New("boom"), operatorv1.CouldNotAsk_REASON_UNREACHABLE},
		"unreachable": {Unreachable(errors.New("dial")), operatorv1.CouldNotAsk_REASON_UNREACHABLE},
		"throttled":   {Throttled(errors.New("429"), time.Millisecond), operatorv1.CouldNotAsk_REASON_THROTTLED},
		"auth":        {Auth(errors.New("expired")), operatorv1.CouldNotAsk_REASON_AUTH},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int32
			b := &bench{onStatus: func(context.Context, Handle) (Status, error) {
				if calls.Add(1) <= 2 {
					return Status{}, tc.err
				}
				return Status{Phase: Succeeded, ExitCode: Exit(0)}, nil
			}}
			c := serveTest(t, benchManifest("cancel"), RemoteOf[benchConfig](b))
			all := collect(t, openWatch(t, c, "", time.Minute))
			require.Len(t, all, 3, "one event per change, the second failure is no news: %v", all)
			assert.False(t, all[0].GetReachability().GetReachable())
			assert.Equal(t, tc.reason, all[0].GetReachability().GetCouldNotAsk().GetReason())
			assert.True(t, all[1].GetReachability().GetReachable())
			assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, all[2].GetTerminal().GetPhase())
			assert.Equal(t, operatorv1.Class_CLASS_UNSPECIFIED, all[2].GetTerminal().GetClass())
		})
	}
}

func TestWatchHeartbeats(t *testing.T) {
	release := make(chan struct{})
	b := &bench{onStatus: func(ctx context.Context, _ Handle) (Status, error) {
		select { // a backend that hangs must not silence the stream
		case <-release:
			return Status{Phase: Succeeded}, nil
		case <-ctx.Done():
			return Status{}, ctx.Err()
		}
	}}
	c := serveTest(t, benchManifest("cancel"), RemoteOf[benchConfig](b))
	s := openWatch(t, c, "", minHeartbeat)
	for range 3 {
		m, err := s.Recv()
		require.NoError(t, err)
		require.NotNil(t, m.GetHeartbeat())
		assert.Nil(t, m.GetHeartbeat().GetConfirmedAt(), "nothing was read yet")
	}
	close(release)
	all := collect(t, s)
	assert.NotNil(t, all[len(all)-1].GetTerminal())
}

func TestWatchPanicIsNoVerdict(t *testing.T) {
	var calls atomic.Int32
	b := &bench{onStatus: func(context.Context, Handle) (Status, error) {
		if calls.Add(1) == 1 {
			panic("boom")
		}
		return Status{Phase: Cancelled}, nil
	}}
	c := serveTest(t, benchManifest("cancel"), RemoteOf[benchConfig](b))
	all := collect(t, openWatch(t, c, "", time.Minute))
	assert.Contains(t, all[0].GetReachability().GetCouldNotAsk().GetDiagnostic().GetSummary(), "panicked: boom")
	assert.Equal(t, operatorv1.Class_CLASS_CANCELLED, terminals(all)[0].GetClass())
}

// A job that is missing is LOST only in the place that the run belongs to.
func TestWatchLostNeedsTheScope(t *testing.T) {
	var wrong atomic.Bool
	asked := make(chan struct{}, 100)
	b := &scoped{
		bench: bench{onStatus: func(context.Context, Handle) (Status, error) { return Status{Phase: Lost}, nil }},
		onScope: func(context.Context) (Scope, error) {
			asked <- struct{}{}
			if wrong.Load() {
				return Scope{ID: "other"}, nil
			}
			return Scope{ID: "home"}, nil
		},
	}
	c := serveTest(t, benchManifest("cancel"), RemoteOf[benchConfig](b))
	// The plugin believes "home" for a while, and then the credentials change.
	r, err := c.Scope(testContext(t), &operatorv1.ScopeRequest{Target: testTarget("")})
	require.NoError(t, err)
	require.Equal(t, "home", r.GetScope().GetId())
	wrong.Store(true)
	s := openWatch(t, c, "home", time.Minute)
	m, err := s.Recv()
	require.NoError(t, err)
	assert.Equal(t, operatorv1.CouldNotAsk_REASON_WRONG_SCOPE, m.GetReachability().GetCouldNotAsk().GetReason())
	wrong.Store(false)
	all := collect(t, s)
	assert.Equal(t, operatorv1.Phase_PHASE_LOST, terminals(all)[0].GetPhase())
	assert.Equal(t, operatorv1.Class_CLASS_LOST, terminals(all)[0].GetClass())
}

// A Cancel is seen at once, however slow the pace has become.
func TestCancelWakesTheWatch(t *testing.T) {
	var cancelled atomic.Bool
	var calls atomic.Int32
	b := &bench{
		onStatus: func(context.Context, Handle) (Status, error) {
			calls.Add(1)
			if cancelled.Load() {
				return Status{Phase: Cancelled}, nil
			}
			// A throttled backend makes the pause a minute long.
			return Status{}, Throttled(errors.New("slow down"), time.Minute)
		},
		onCancel: func(context.Context, Handle, CancelOptions) error { cancelled.Store(true); return nil },
	}
	c := serveTest(t, benchManifest("cancel"), RemoteOf[benchConfig](b))
	s := openWatch(t, c, "", time.Minute)
	_, err := s.Recv()
	require.NoError(t, err)
	r, err := c.Cancel(testContext(t), &operatorv1.CancelRequest{Target: testTarget(""), Key: testKey, Handle: &operatorv1.Handle{}})
	require.NoError(t, err)
	require.NotNil(t, r.GetAccepted())
	all := collect(t, s)
	assert.Equal(t, operatorv1.Phase_PHASE_CANCELLED, terminals(all)[0].GetPhase())
	assert.Equal(t, int32(2), calls.Load())
}

// watching is a flavor with push instead of polling.
type watching struct {
	bench
	onWatch func(ctx context.Context, report func(Status)) error
}

func (w *watching) Watch(ctx context.Context, _ benchConfig, _ Handle, report func(Status)) error {
	return w.onWatch(ctx, report)
}

func TestWatcher(t *testing.T) {
	var rounds atomic.Int32
	w := &watching{
		bench: bench{onStatus: func(context.Context, Handle) (Status, error) { return Status{Phase: Running}, nil }},
		onWatch: func(_ context.Context, report func(Status)) error {
			switch rounds.Add(1) {
			case 1:
				report(Status{Phase: Running})
				return errors.New("the connection broke")
			case 2:
				return nil // too early: the job is not over
			}
			report(Status{Phase: Succeeded, ExitCode: Exit(0)})
			report(Status{Phase: Failed}) // behind the verdict: nobody hears it
			return nil
		},
	}
	c := serveTest(t, benchManifest("cancel"), RemoteOf[benchConfig](w))
	all := collect(t, openWatch(t, c, "", time.Minute))
	require.Len(t, terminals(all), 1)
	assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, terminals(all)[0].GetPhase())
	assert.Equal(t, operatorv1.Phase_PHASE_RUNNING, all[0].GetStatus().GetPhase())
	assert.Contains(t, all[1].GetReachability().GetCouldNotAsk().GetDiagnostic().GetSummary(), "connection broke")
}

// A Watcher that says nothing is confirmed by Status: the host's timers count
// only what was confirmed.
func TestWatcherIsConfirmed(t *testing.T) {
	var over atomic.Bool
	w := &watching{
		bench: bench{onStatus: func(context.Context, Handle) (Status, error) {
			if over.Load() {
				return Status{Phase: Succeeded}, nil
			}
			return Status{Phase: Running}, nil
		}},
		onWatch: func(ctx context.Context, _ func(Status)) error { <-ctx.Done(); return ctx.Err() },
	}
	c := serveTest(t, benchManifest("cancel"), RemoteOf[benchConfig](w))
	s := openWatch(t, c, "", minHeartbeat)
	for {
		m, err := s.Recv()
		require.NoError(t, err)
		if m.GetHeartbeat().GetConfirmedAt() != nil {
			break
		}
	}
	over.Store(true)
	all := collect(t, s)
	assert.Len(t, terminals(all), 1)
}
