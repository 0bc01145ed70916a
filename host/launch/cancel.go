package launch

import (
	"context"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

const (
	// cancelDefault bounds a cancel where the step sets no timeouts.cancel.
	cancelDefault = 2 * time.Minute
	// cancelGrace is the time between the polite request to end and the hard
	// one: what `docker stop` gives.
	cancelGrace = 10 * time.Second
)

func (d *drive) cancelTimeout() time.Duration { return CancelBound(d.plan.Step.Timeouts) }

// canceller asks the backend to end a job, again and again until it accepts. A
// nil canceller is one that was not started: its channels never deliver.
type canceller struct {
	timer  *time.Timer
	stopIt context.CancelFunc
	over   chan struct{} // closed with the end of the goroutine
	seen   chan struct{} // delivers once

	mu    sync.Mutex
	force bool
	again chan struct{} // capacity 1: force was raised
	err   error
}

func (d *drive) startCancel(ctx context.Context, force bool) *canceller {
	ctx, stop := context.WithCancel(ctx)
	c := &canceller{timer: time.NewTimer(d.cancelTimeout()), stopIt: stop, over: make(chan struct{}),
		seen: make(chan struct{}, 1), force: force, again: make(chan struct{}, 1)}
	req := d.jobRequest()
	grace := min(cancelGrace, d.cancelTimeout()/2)
	go func() {
		defer close(c.over)
		c.run(ctx, d, req, grace)
	}()
	return c
}

// run asks until the backend accepts, and once more when force is raised.
func (c *canceller) run(ctx context.Context, d *drive, req jobRequest, grace time.Duration) {
	for {
		c.mu.Lock()
		force := c.force
		c.mu.Unlock()
		err := c.ask(ctx, d, req, grace, force)
		c.mu.Lock()
		c.err = err
		c.mu.Unlock()
		select {
		case c.seen <- struct{}{}:
		default:
		}
		select {
		case <-ctx.Done():
			return
		case <-c.again:
		}
	}
}

func (c *canceller) ask(ctx context.Context, d *drive, req jobRequest, grace time.Duration, force bool) error {
	again := newBackoff()
	for {
		target, missing := req.target(ctx, d.s.o.Resolver)
		if missing != nil {
			return missing
		}
		var resp *operatorv1.CancelResponse
		err := d.backend.ask(ctx, cancelBound, func(err error) {
			d.hindered(ctx, Notice{Kind: Status, Phase: phaseCancelling, Reason: "unreachable", Message: err.Error()})
		}, func(ctx context.Context, client operatorv1.StepOperatorClient) (err error) {
			resp, err = client.Cancel(ctx, &operatorv1.CancelRequest{Target: target, Handle: req.handle, Key: req.key,
				Grace: durationpb.New(grace), Force: force})
			return err
		})
		if err != nil {
			return err
		}
		none := resp.GetCouldNotAsk()
		if none == nil {
			return nil
		}
		cause := couldNotAsk(none)
		d.hindered(ctx, Notice{Kind: Status, Phase: phaseCancelling, Reason: "unreachable", Message: cause.Error()})
		if !cause.passes() {
			return d.couldNotAskProblem("cancelling", cause)
		}
		if err := pause(ctx, max(again.NextBackOff(), none.GetRetryAfter().AsDuration())); err != nil {
			return err
		}
	}
}

// raise asks once more, for a hard stop.
func (c *canceller) raise(force bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !force || c.force {
		return
	}
	c.force = true
	select {
	case c.again <- struct{}{}:
	default:
	}
}

func (c *canceller) done() <-chan struct{} {
	if c == nil {
		return nil
	}
	return c.seen
}

func (c *canceller) late() <-chan time.Time {
	if c == nil {
		return nil
	}
	return c.timer.C
}

func (c *canceller) result() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *canceller) stop() {
	if c == nil {
		return
	}
	c.timer.Stop()
	c.stopIt()
	<-c.over
}
