package main

import (
	"context"

	"github.com/stephost/stephost/pluginsdk"
)

// Cancel ends the driver: the runner sends SIGTERM to its processes, on which Spark
// gives its executors back, and SIGKILL after the grace; a driver on a worker is
// killed by the master. That the executors are gone is seen on Watch.
func (f *spark) Cancel(ctx context.Context, c Config, h pluginsdk.Handle, o pluginsdk.CancelOptions) error {
	if c.onKubernetes() {
		return f.kube.Cancel(ctx, c.job(), h, o)
	}
	state, err := f.state(c)
	if err != nil {
		return err
	}
	job, err := jobOf(state, h)
	if err != nil {
		return err
	}
	if d, is, err := driverOf(job); err != nil {
		return pluginsdk.Unreachable(err)
	} else if is {
		return f.cancelDriver(ctx, c, job, d, o)
	}
	return f.jobs.Cancel(ctx, state, h, o)
}
