package main

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"github.com/stephost/stephost/pluginsdk"
)

// burst is the part of a minute's budget that may be used at once: a herd of runs
// that begin together must not wait for their first states one by one.
const burst = 10 * time.Second

// newBudget is the budget of questions about jobs. It is shared by the operators
// that have one login at one workspace.
func newBudget(perMinute int) *rate.Limiter {
	perSecond := float64(perMinute) / time.Minute.Seconds()
	return rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond*burst.Seconds())))
}

// spend waits for its turn to ask.
func (cl *client) spend(ctx context.Context) error {
	if err := cl.states.Wait(ctx); err != nil {
		return pluginsdk.Throttled(err, 0)
	}
	return nil
}
