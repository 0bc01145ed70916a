package main

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/cloudfake/cloudtest"
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
			h := newHarness(t, true) // with markers a Submit makes no list call
			grown := time.Time{}
			settled := func(map[string]int) bool {
				if grown.IsZero() {
					grown = time.Now().Add(young)
				}
				return time.Now().After(grown)
			}
			calls := h.Watched(n, settled, observed)
			lists, gets := calls["ListCustomJobs"], calls["GetCustomJob"]
			pages := (n + pageSize - 1) / pageSize
			perMinute[n] = float64(lists) / float64(pages) / observed.Minutes()
			t.Logf("%d runs: %.0f list calls a minute (%d pages each), %d single reads; one read for each run would be %.0f",
				n, float64(lists)/observed.Minutes(), pages, gets, perMinute[n]*float64(n))
			assert.Zero(t, gets, "no call for each run")
			assert.Zero(t, calls["ListLogEntries"], "a log that cannot be there is not asked for")
		})
	}
	// The pace depends on how old the runs are, and 500 are not equally old.
	assert.LessOrEqual(t, perMinute[500], 2*perMinute[5]+10)
}

// TestBudget: the cap on calls holds for all operators of a place together.
func TestBudget(t *testing.T) {
	c := newBackend(t)
	operator := c.operator(false)
	operator["max_calls_per_minute"] = 60
	h := newHarnessOf(t, c, operator)
	before, err := h.Calls(h.Ctx())
	require.NoError(t, err)
	begun := time.Now()
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() { h.FindKey(cloudtest.KeyOf(fmt.Sprint(i), 1)) })
	}
	wg.Wait()
	after, err := h.Calls(h.Ctx())
	require.NoError(t, err)
	assert.Equal(t, 12, after["ListCustomJobs"]-before["ListCustomJobs"])
	assert.GreaterOrEqual(t, time.Since(begun), 5*time.Second, "6 at once, then one a second")
}
