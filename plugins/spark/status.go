package main

import (
	"context"

	"github.com/stephost/stephost/pluginsdk"
)

// Status reads the job. It changes nothing; Watch brings dead runners back.
func (f *spark) Status(ctx context.Context, c Config, h pluginsdk.Handle) (pluginsdk.Status, error) {
	if c.onKubernetes() {
		return f.kube.Status(ctx, c.job(), h)
	}
	state, err := f.state(c)
	if err != nil {
		return pluginsdk.Status{}, err
	}
	job, err := jobOf(state, h)
	if err != nil {
		return pluginsdk.Status{}, err
	}
	if d, is, err := driverOf(job); err != nil {
		return pluginsdk.Status{}, pluginsdk.Unreachable(err)
	} else if is {
		return f.driverStatus(ctx, c, job, d)
	}
	return f.jobs.Status(ctx, state, h, f.refine(c))
}

// Watch reports each change: of a process here woken by the kernel, of a driver on
// a worker by asking the master.
func (f *spark) Watch(ctx context.Context, c Config, h pluginsdk.Handle, report func(pluginsdk.Status)) error {
	if c.onKubernetes() {
		return f.kube.Watch(ctx, c.job(), h, report)
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
		return f.watchDriver(ctx, c, job, d, report)
	}
	return f.jobs.Watch(ctx, state, h, f.refine(c), report)
}
