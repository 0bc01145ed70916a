package follow

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	// growth makes about ten looks on the way from a second to a minute.
	growth = 1.5
	// share of a pause that is left to chance: many runs that began together must
	// not look together.
	share = 0.2
)

// Pause is the time between two looks at a log: First behind news, and longer
// and longer up to Most while there are none.
type Pause struct {
	First, Most time.Duration
	next        time.Duration
}

// News makes the next pause the first one again.
func (p *Pause) News() { p.next = p.First }

// Wait waits for the pause, but at most for the shortest of bounds.
func (p *Pause) Wait(ctx context.Context, bounds ...time.Duration) error {
	d := max(p.next, p.First)
	p.next = min(time.Duration(float64(d)*growth), p.Most)
	for _, b := range bounds {
		d = min(d, b)
	}
	timer := time.NewTimer(jittered(d))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (1 - share/2 + share*rand.Float64()))
}
