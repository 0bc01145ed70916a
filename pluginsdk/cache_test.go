package pluginsdk

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCache(t *testing.T) {
	now := time.Unix(0, 0)
	var released []int
	c := Cache[int]{Release: func(n int) { released = append(released, n) }, now: func() time.Time { return now }}
	made := 0
	get := func(key string) int {
		t.Helper()
		n, err := c.Get(context.Background(), key, func(context.Context) (int, error) { made++; return made, nil })
		require.NoError(t, err)
		return n
	}
	assert.Equal(t, 1, get("a"))
	assert.Equal(t, 1, get("a"))
	now = now.Add(cacheIdle)
	assert.Equal(t, 1, get("a"), "used within 15 minutes")
	now = now.Add(cacheIdle + 1)
	assert.Equal(t, 2, get("a"))
	assert.Equal(t, []int{1}, released)
	for i := range cacheSize {
		now = now.Add(1)
		get(fmt.Sprint(i))
	}
	assert.Equal(t, []int{1, 2}, released, "the least recently used one goes")
	_, err := c.Get(context.Background(), "bad", func(context.Context) (int, error) { return 0, errors.New("boom") })
	require.Error(t, err)
	assert.Positive(t, get("bad"), "errors are not kept")
	c.Drop("bad")
	c.Drop("never there")
	assert.Len(t, released, 4)
}

func TestCacheMakesOnce(t *testing.T) {
	var c Cache[int]
	var made atomic.Int32
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			n, err := c.Get(context.Background(), "k", func(context.Context) (int, error) { return int(made.Add(1)), nil })
			assert.NoError(t, err)
			assert.Equal(t, 1, n)
		})
	}
	wg.Wait()
}

// Who makes an entry may be cancelled alone; the others must not fail with it.
func TestCacheOutlivesACancelledMaker(t *testing.T) {
	var c Cache[int]
	entered := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := c.Get(ctx, "k", func(ctx context.Context) (int, error) { close(entered); <-ctx.Done(); return 0, ctx.Err() })
		assert.ErrorIs(t, err, context.Canceled)
	})
	<-entered
	wg.Go(func() {
		n, err := c.Get(context.Background(), "k", func(context.Context) (int, error) { return 7, nil })
		assert.NoError(t, err)
		assert.Equal(t, 7, n)
	})
	cancel()
	wg.Wait()
}

func TestKey(t *testing.T) {
	assert.Equal(t, Key("a", NewSecret("b")), Key("a", "b"))
	assert.NotEqual(t, Key("ab", ""), Key("a", "b"))
	assert.NotEqual(t, Key(NewSecret("a")), Key(NewSecret("b")))
	assert.NotEqual(t, Key(1), Key(2))
}

func TestPace(t *testing.T) {
	var p pace
	assert.Less(t, p.next(), 2*pollFirst)
	total := time.Duration(0)
	for range 60 {
		total += p.next()
	}
	assert.LessOrEqual(t, p.next(), time.Duration(float64(pollMax)*(1+jitter)))
	p.reset(pollChanged)
	assert.LessOrEqual(t, p.next(), 2*pollChanged)
	for range 20 {
		assert.LessOrEqual(t, p.failed(errors.New("x")), time.Duration(float64(failMax)*(1+jitter)))
	}
	assert.GreaterOrEqual(t, p.failed(Throttled(errors.New("x"), 2*time.Minute)), 2*time.Minute)
	assert.LessOrEqual(t, p.failed(Throttled(errors.New("x"), 24*time.Hour)), 2*throttleMax)
}
