package cloudtest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/durationpb"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"github.com/stephost/stephost/test/cloudfake"
)

const (
	// waits is how long a job of Watched is queued: longer than any test.
	waits = time.Hour
	// patience bounds a round of hundreds of jobs on a machine under load.
	patience = 5 * Hang
	// submitters is how many submit at the same time.
	submitters = 8
	// look is the pause between two looks at counters.
	look = 10 * time.Millisecond
)

// Watched submits n runs that nothing happens to, watches each and follows its
// log, as a host does, and returns the calls that the service got of all of them during a while: from when each was
// told a phase, and settled says that what is asked for once was asked for.
func (h *Harness) Watched(n int, settled func(calls map[string]int) bool, during time.Duration) map[string]int {
	h.T.Helper()
	require.NoError(h.T, h.fake.AddLife(h.Ctx(), cloudfake.LifeRule{Life: cloudfake.Life{QueuedMS: int(waits.Milliseconds())}}))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	var watches sync.WaitGroup
	defer watches.Wait()
	defer cancel()
	steps := make([]*operatorv1.Step, n)
	for i := range steps {
		steps[i] = h.Step(fmt.Sprintf("many-%d", i), "true")
	}
	handles := make([]*operatorv1.Handle, n)
	var submits errgroup.Group
	submits.SetLimit(submitters)
	for i, s := range steps {
		submits.Go(func() (err error) {
			handles[i], err = h.accepted(ctx, s)
			return err
		})
	}
	require.NoError(h.T, submits.Wait())
	told := make(chan error, n)
	for i, handle := range handles {
		watches.Go(func() {
			stream, err := h.Plugin.Logs(ctx, &operatorv1.LogsRequest{Target: h.Target, Handle: handle, Key: steps[i].Key, Follow: true})
			for err == nil {
				_, err = stream.Recv()
			}
		})
		watches.Go(func() {
			stream, err := h.Plugin.Watch(ctx, &operatorv1.WatchRequest{Target: h.Target, Handle: handle, Key: steps[i].Key, HeartbeatInterval: durationpb.New(Hang)})
			first := sync.OnceFunc(func() { told <- err })
			defer first()
			for err == nil {
				var e *operatorv1.WatchResponse
				if e, err = stream.Recv(); err == nil && e.GetStatus() != nil {
					first()
				}
			}
		})
	}
	for range n {
		select {
		case err := <-told:
			require.NoError(h.T, err)
		case <-ctx.Done():
			require.NoError(h.T, ctx.Err())
		}
	}
	require.Eventually(h.T, func() bool { return settled(h.Counted()) }, patience, look)
	before, end := h.Counted(), time.Now().Add(during)
	require.Eventually(h.T, func() bool { return time.Now().After(end) }, during+Hang, look)
	after := h.Counted()
	for op, calls := range before {
		after[op] -= calls
	}
	return after
}

// accepted is Accepted for another goroutine than the test's.
func (h *Harness) accepted(ctx context.Context, s *operatorv1.Step) (*operatorv1.Handle, error) {
	var data []byte
	if h.flavor.Prepares {
		stream, err := h.Plugin.Prepare(ctx, &operatorv1.PrepareRequest{Target: h.Target, Step: s})
		for err == nil && data == nil {
			var m *operatorv1.PrepareResponse
			if m, err = stream.Recv(); m.GetDone() != nil {
				data = m.GetDone().GetPrepared()
				break
			}
		}
		if err != nil {
			return nil, err
		}
	}
	r, err := h.Plugin.Submit(ctx, &operatorv1.SubmitRequest{Target: h.Target, Step: s, Prepared: data, RequestDigest: Digest()})
	if err == nil && r.GetAccepted() == nil {
		err = fmt.Errorf("not accepted: %v", r)
	}
	return r.GetAccepted().GetHandle(), err
}
