package pluginsdk

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/durationpb"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// listing is a flavor with one list call for many jobs.
type listing struct {
	scoped
	onBatch func(ctx context.Context, c benchConfig, hs []Handle) ([]StatusResult, error)
}

func (l *listing) StatusBatch(ctx context.Context, c benchConfig, hs []Handle) ([]StatusResult, error) {
	return l.onBatch(ctx, c, hs)
}

func newListing() *listing {
	l := &listing{}
	l.onScope = func(context.Context) (Scope, error) { return Scope{ID: "home"}, nil }
	l.onStatus = func(context.Context, Handle) (Status, error) { return Status{}, errors.New("not asked singly") }
	return l
}

func watchMany(t *testing.T, c operatorv1.StepOperatorClient, n int) []watchStream {
	t.Helper()
	streams := make([]watchStream, n)
	for i := range n {
		s, err := c.Watch(testContext(t), &operatorv1.WatchRequest{
			Target: testTarget("home"), Key: fmt.Sprintf("key-%d", i), Handle: &operatorv1.Handle{Data: []byte("h")},
			HeartbeatInterval: durationpb.New(time.Minute),
		})
		require.NoError(t, err)
		streams[i] = s
	}
	return streams
}

func TestBatchSharesCalls(t *testing.T) {
	const jobs = 50
	var over atomic.Bool
	var calls, together atomic.Int32
	l := newListing()
	l.onBatch = func(_ context.Context, _ benchConfig, hs []Handle) ([]StatusResult, error) {
		calls.Add(1)
		if len(hs) == jobs {
			together.Add(1)
		}
		out := make([]StatusResult, len(hs))
		for i := range hs {
			out[i].Status = Status{Phase: Running}
			if over.Load() {
				out[i].Status = Status{Phase: Succeeded}
			}
		}
		return out, nil
	}
	c := serveTest(t, benchManifest("cancel"), RemoteOf[benchConfig](l))
	streams := watchMany(t, c, jobs)
	for _, s := range streams {
		m, err := s.Recv()
		require.NoError(t, err)
		require.Equal(t, operatorv1.Phase_PHASE_RUNNING, m.GetStatus().GetPhase())
	}
	over.Store(true)
	var wg sync.WaitGroup
	for _, s := range streams {
		wg.Go(func() { assert.Len(t, terminals(collect(t, s)), 1) })
	}
	wg.Wait()
	assert.Positive(t, together.Load(), "at least one call was for all jobs")
	assert.Less(t, calls.Load(), int32(3*jobs), "calls do not grow with jobs times polls")
}

func TestBatchAsksSingly(t *testing.T) {
	l := newListing()
	l.onBatch = func(_ context.Context, _ benchConfig, hs []Handle) ([]StatusResult, error) {
		out := make([]StatusResult, len(hs))
		for i := range out {
			out[i].Err = ErrAskSingly
		}
		return out, nil
	}
	l.onStatus = func(context.Context, Handle) (Status, error) {
		return Status{Phase: Failed, Message: "detail"}, nil
	}
	c := serveTest(t, benchManifest("cancel"), RemoteOf[benchConfig](l))
	all := collect(t, watchMany(t, c, 1)[0])
	assert.Equal(t, "detail", terminals(all)[0].GetMessage())
	assert.Equal(t, operatorv1.Class_CLASS_SYSTEM, terminals(all)[0].GetClass())
}

func TestBatchErrors(t *testing.T) {
	tests := map[string]func() ([]StatusResult, error){
		"error":        func() ([]StatusResult, error) { return nil, errors.New("boom") },
		"wrong length": func() ([]StatusResult, error) { return make([]StatusResult, 7), nil },
		"panic":        func() ([]StatusResult, error) { panic("boom") },
		"one job":      func() ([]StatusResult, error) { return []StatusResult{{Err: errors.New("boom")}}, nil },
	}
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int32
			l := newListing()
			l.onBatch = func(context.Context, benchConfig, []Handle) ([]StatusResult, error) {
				if calls.Add(1) == 1 {
					return answer()
				}
				return []StatusResult{{Status: Status{Phase: Succeeded}}}, nil
			}
			c := serveTest(t, benchManifest("cancel"), RemoteOf[benchConfig](l))
			all := collect(t, watchMany(t, c, 1)[0])
			require.Len(t, all, 3)
			assert.NotNil(t, all[0].GetReachability().GetCouldNotAsk())
			assert.True(t, all[1].GetReachability().GetReachable())
			assert.NotNil(t, all[2].GetTerminal())
		})
	}
}

// One run's expired credentials must not blind the others of the scope.
func TestBatchTriesOtherCredentials(t *testing.T) {
	l := newListing()
	l.onBatch = func(_ context.Context, c benchConfig, hs []Handle) ([]StatusResult, error) {
		if c.URL == "old" {
			return nil, Auth(errors.New("expired"))
		}
		out := make([]StatusResult, len(hs))
		for i := range out {
			out[i].Status = Status{Phase: Running}
			if len(hs) == 2 { // both are watched, so both get the verdict
				out[i].Status = Status{Phase: Succeeded}
			}
		}
		return out, nil
	}
	c := serveTest(t, benchManifest("cancel"), RemoteOf[benchConfig](l))
	var streams []watchStream
	for _, url := range []string{"old", "new"} {
		s, err := c.Watch(testContext(t), &operatorv1.WatchRequest{
			Target: &operatorv1.Target{
				Scope: &operatorv1.Scope{Id: "home"}, Config: &operatorv1.Values{Json: fmt.Appendf(nil, `{"url":%q}`, url)}},
			Key: url, Handle: &operatorv1.Handle{}, HeartbeatInterval: durationpb.New(time.Minute),
		})
		require.NoError(t, err)
		streams = append(streams, s)
	}
	for _, s := range streams {
		assert.Len(t, terminals(collect(t, s)), 1)
	}
}

// Jobs that began at different times come to be asked for together.
func TestBatchPlansJobsTogether(t *testing.T) {
	b, g := &batches{}, &batchGroup{}
	now := time.Now()
	due := &batchSub{pace: pace{pause: pollMax}}
	early := &batchSub{pace: pace{pause: pollMax}, due: now.Add(time.Second)}
	throttled := &batchSub{pace: pace{pause: pollMax, fail: failMax}, due: now.Add(time.Hour)}
	b.plan(g, []*batchSub{due, early, throttled}, 0)
	for _, sub := range []*batchSub{due, early} {
		assert.WithinRange(t, sub.due, now.Add(pollMax*7/10), now.Add(pollMax*3/2))
	}
	assert.Equal(t, pollMax, early.pace.pause, "it keeps its pace")
	assert.Equal(t, now.Add(time.Hour), throttled.due)
}

// 500 jobs that came one after the other are asked about as often as one.
func TestBatchCallsDoNotGrowWithJobs(t *testing.T) {
	const came, settled, counted = 20 * time.Second, 30 * time.Second, 2 * time.Minute
	calls := func(n int) (calls int) {
		synctest.Test(t, func(*testing.T) {
			b, g := &batches{}, &batchGroup{}
			var subs []*batchSub
			for begun := time.Now(); time.Since(begun) < came+settled+counted; {
				for len(subs) < n && time.Duration(len(subs))*came <= time.Since(begun)*time.Duration(n) {
					subs = append(subs, &batchSub{due: time.Now()})
				}
				next := pollMax * 2
				for _, sub := range subs {
					next = min(next, time.Until(sub.due))
				}
				if len(subs) < n {
					next = min(next, came/time.Duration(n))
				}
				if next > 0 {
					time.Sleep(next)
					continue
				}
				b.plan(g, subs, 0)
				if time.Since(begun) > came+settled {
					calls++
				}
			}
		})
		return calls
	}
	one, many := calls(1), calls(500)
	t.Logf("in %s: %d calls about one job, %d about 500", counted, one, many)
	assert.LessOrEqual(t, many, one*3/2, "the youngest of them sets the pace, not their number")
}
