package gcp

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/stephost/stephost/pluginsdk"
)

// burstShare: a tenth of a minute's calls may be made at once, so that a single
// run is watched quickly, and a burst never eats the minute.
const burstShare = 10

// Budgets hold one limit of calls for each place, shared by all operators of the
// process. The zero Budgets is ready.
type Budgets struct {
	mu       sync.Mutex
	limiters map[string]*rate.Limiter
}

// Wait waits until one more call of the place may be made. Of several operators
// with different limits the lowest counts. The error says when to ask again.
func (b *Budgets) Wait(ctx context.Context, place string, perMinute int) error {
	l := b.limiter(place, perMinute)
	r := l.Reserve()
	d := r.Delay()
	if d == 0 {
		return nil
	}
	if end, ok := ctx.Deadline(); ok && time.Until(end) < d {
		r.Cancel()
		return pluginsdk.Throttled(&overBudget{perMinute}, d)
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

func (b *Budgets) limiter(place string, perMinute int) *rate.Limiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	limit := rate.Limit(float64(perMinute) / 60)
	l, ok := b.limiters[place]
	if !ok {
		if b.limiters == nil {
			b.limiters = map[string]*rate.Limiter{}
		}
		l = rate.NewLimiter(limit, max(1, perMinute/burstShare))
		b.limiters[place] = l
	}
	if limit < l.Limit() {
		l.SetLimit(limit)
		l.SetBurst(max(1, perMinute/burstShare))
	}
	return l
}

type overBudget struct{ perMinute int }

func (e *overBudget) Error() string {
	return "the budget of calls is used up for now (see max_calls_per_minute and max_log_calls_per_minute)"
}
