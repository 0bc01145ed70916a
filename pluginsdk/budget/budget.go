package budget

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"github.com/stephost/stephost/pluginsdk"
)

// Budget is a number of calls a minute.
type Budget struct {
	limiter *rate.Limiter
	burst   time.Duration
}

// New makes a budget. burst is the part of a minute whose calls may be made at
// once: a herd of runs that begin together must not wait for their first answers
// one by one, and may not eat the whole minute either.
func New(perMinute int, burst time.Duration) *Budget {
	limit := perSecond(perMinute)
	return &Budget{limiter: rate.NewLimiter(limit, most(limit, burst)), burst: burst}
}

func perSecond(perMinute int) rate.Limit {
	return rate.Limit(float64(perMinute) / time.Minute.Seconds())
}

// lower makes the limit smaller.
func (b *Budget) lower(limit rate.Limit) {
	b.limiter.SetLimit(limit)
	b.limiter.SetBurst(most(limit, b.burst))
}

func most(limit rate.Limit, burst time.Duration) int {
	return max(1, int(float64(limit)*burst.Seconds()))
}

// Wait waits until one more call may be made. Where ctx ends before, it returns
// at once an error that says when to ask again.
func (b *Budget) Wait(ctx context.Context) error {
	r := b.limiter.Reserve()
	d := r.Delay()
	if d == 0 {
		return nil
	}
	if end, ok := ctx.Deadline(); ok && time.Until(end) < d {
		r.Cancel()
		return pluginsdk.Throttled(&UsedUpError{PerMinute: b.PerMinute()}, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		r.Cancel()
		return ctx.Err()
	}
}

// PerMinute is the limit.
func (b *Budget) PerMinute() int { return int(float64(b.limiter.Limit())*time.Minute.Seconds() + 0.5) }

// Left is how many calls could be made at once.
func (b *Budget) Left() int { return max(0, int(b.limiter.Tokens())) }

// Most is how many calls could be made at once by who has made none for a while.
func (b *Budget) Most() int { return b.limiter.Burst() }

// UsedUpError says that no more calls may be made for now.
type UsedUpError struct{ PerMinute int }

// Error names the attribute that all flavors have for it.
func (e *UsedUpError) Error() string {
	return fmt.Sprintf("the budget of %d calls a minute is used up for now (max_calls_per_minute and its like)", e.PerMinute)
}
