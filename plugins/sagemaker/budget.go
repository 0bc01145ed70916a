package main

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"github.com/stephost/stephost/pluginsdk"
)

const (
	// burst is the part of a minute's budget that may be used at once: a herd of
	// runs that begin together must not wait for their first states one by one.
	burst = 10 * time.Second
	// listShare is the part of the budget that list calls may use; the rest is for
	// the Describe of each change.
	listShare = 0.5
)

// newBudget is the budget of questions about states.
func newBudget(perMinute int) *rate.Limiter {
	perSecond := float64(perMinute) / 60
	return rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond*burst.Seconds())))
}

// listEvery is the least time between two list calls.
func listEvery(perMinute int) time.Duration {
	return time.Duration(float64(time.Minute) / (float64(perMinute) * listShare))
}

// spend waits for its turn to ask about states.
func (cl *client) spend(ctx context.Context) error {
	if err := cl.states.Wait(ctx); err != nil {
		return pluginsdk.Throttled(err, 0)
	}
	return nil
}
