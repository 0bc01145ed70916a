package budget_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/budget"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBurst(t *testing.T) {
	for name, c := range map[string]struct {
		perMinute int
		burst     time.Duration
		most      int
	}{
		"ten seconds of it": {120, 10 * time.Second, 20},
		"a tenth of it":     {120, 6 * time.Second, 12},
		"at least one":      {3, time.Second, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := budget.New(c.perMinute, c.burst)
			assert.Equal(t, c.most, b.Most())
			assert.Equal(t, c.most, b.Left())
			assert.Equal(t, c.perMinute, b.PerMinute())
			for range c.most {
				require.NoError(t, b.Wait(t.Context()))
			}
			assert.Zero(t, b.Left())
		})
	}
}

// TestWait: a call comes when its time has come.
func TestWait(t *testing.T) {
	b := budget.New(600, time.Second/10) // one at once, then one each 100 ms
	begun := time.Now()
	for range 3 {
		require.NoError(t, b.Wait(t.Context()))
	}
	assert.GreaterOrEqual(t, time.Since(begun), 190*time.Millisecond)
}

// TestNoTimeToWait: who cannot wait is told when, at once, and takes nothing.
func TestNoTimeToWait(t *testing.T) {
	b := budget.New(1, time.Second)
	require.NoError(t, b.Wait(t.Context()))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for range 3 { // the third is no later than the first
		begun := time.Now()
		var told *pluginsdk.Error
		require.ErrorAs(t, b.Wait(ctx), &told)
		assert.Less(t, time.Since(begun), 5*time.Second)
		assert.Equal(t, pluginsdk.AskThrottled, told.Ask)
		assert.InDelta(t, time.Minute.Seconds(), told.RetryAfter.Seconds(), 6)
		assert.ErrorContains(t, told, "1 calls a minute")
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	b := budget.New(1, time.Second)
	require.NoError(t, b.Wait(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	require.ErrorIs(t, b.Wait(ctx), context.Canceled)
}

// TestShared: operators of one place share one budget, and the lowest counts.
func TestShared(t *testing.T) {
	s := &budget.Shared{Burst: 6 * time.Second}
	one := s.Of("eu", 600)
	assert.NotSame(t, one, s.Of("us", 600))
	assert.Same(t, one, s.Of("eu", 60))
	assert.Equal(t, 60, one.PerMinute())
	assert.Equal(t, 6, one.Most())
	assert.Same(t, one, s.Of("eu", 6000), "nobody raises it")
	assert.Equal(t, 60, one.PerMinute())
}
