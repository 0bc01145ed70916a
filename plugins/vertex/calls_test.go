package main

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/durationpb"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"github.com/stephost/stephost/test/cloudfake"
)

const (
	// young is how long a new run is asked for quickly.
	young = 6 * time.Second
	// observed is how long the calls are counted behind that.
	observed = 10 * time.Second
)

// TestCallsDoNotGrow: 500 runs of one operator cost list calls, a page for 100
// of them, and no call for each.
func TestCallsDoNotGrow(t *testing.T) {
	perMinute := map[int]float64{}
	for _, n := range []int{5, 500} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			c := newCloud(t)
			operator := c.operator(true) // with markers a Submit makes no list call
			h := newHarnessOf(t, c, operator)
			require.NoError(t, c.AddLife(t.Context(), cloudfake.LifeRule{Life: cloudfake.Life{QueuedMS: 3600_000}}))
			ctx, cancel := context.WithCancel(t.Context())
			var wg, watching sync.WaitGroup
			for i := range n {
				s := h.step(fmt.Sprintf("run %d", i), "true")
				handle := h.accepted(s)
				watching.Add(1)
				wg.Go(func() {
					once := sync.OnceFunc(watching.Done)
					defer once()
					stream, err := h.client.Watch(ctx, &operatorv1.WatchRequest{Target: h.target, Handle: handle, Key: s.Key, HeartbeatInterval: durationpb.New(time.Minute)})
					for err == nil {
						var e *operatorv1.WatchResponse
						if e, err = stream.Recv(); err == nil && e.GetStatus() != nil {
							once()
						}
					}
				})
			}
			watching.Wait() // each has been told its phase
			time.Sleep(young)
			before, err := h.Calls(ctx)
			require.NoError(t, err)
			begun := time.Now()
			time.Sleep(observed) // what is measured is calls in a time
			after, err := h.Calls(ctx)
			require.NoError(t, err)
			lists, gets := after["ListCustomJobs"]-before["ListCustomJobs"], after["GetCustomJob"]-before["GetCustomJob"]
			pages := (n + pageSize - 1) / pageSize
			minutes := time.Since(begun).Minutes()
			perMinute[n] = float64(lists) / float64(pages) / minutes
			t.Logf("%d runs: %.0f list calls a minute (%d pages each), %d single reads; one read for each run would be %.0f",
				n, float64(lists)/minutes, pages, gets, perMinute[n]*float64(n))
			assert.Zero(t, gets, "no call for each run")
			cancel()
			wg.Wait()
		})
	}
	// The pace depends on how old the runs are, and 500 are not equally old.
	assert.LessOrEqual(t, perMinute[500], 2*perMinute[5]+10)
}

// TestBudget: the cap on calls holds for all operators of a place together.
func TestBudget(t *testing.T) {
	c := newCloud(t)
	operator := c.operator(false)
	operator["max_calls_per_minute"] = 60
	h := newHarnessOf(t, c, operator)
	before, err := h.Calls(h.ctx())
	require.NoError(t, err)
	begun := time.Now()
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() { h.findKey(keyOf(fmt.Sprint(i), 1)) })
	}
	wg.Wait()
	after, err := h.Calls(h.ctx())
	require.NoError(t, err)
	assert.Equal(t, 12, after["ListCustomJobs"]-before["ListCustomJobs"])
	assert.GreaterOrEqual(t, time.Since(begun), 5*time.Second, "6 at once, then one a second")
}
