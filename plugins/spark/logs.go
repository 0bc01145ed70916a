package main

import (
	"context"

	"github.com/stephost/stephost/pluginsdk"
)

// Logs reads what the driver printed: from the files in which the runner keeps
// every byte, or from the worker.
func (f *spark) Logs(ctx context.Context, c Config, h pluginsdk.Handle, r pluginsdk.LogRequest, w *pluginsdk.LogWriter) error {
	if c.onKubernetes() {
		return f.kube.Logs(ctx, c.job(), h, r, w)
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
		return f.driverLogs(ctx, c, job, d, r, w)
	}
	return f.jobs.Logs(ctx, state, h, r, w)
}
