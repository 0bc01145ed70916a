package main

import (
	"context"
	"fmt"

	"github.com/stephost/stephost/plugins/spark/internal/standalone"
	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
)

// goneRecord notes that master and workers told that nothing of the application is
// left, so that nobody asks again, and nobody needs the cluster any more.
const goneRecord = "gone"

type gone struct {
	App string `json:"app"`
}

// gone holds back the end of an application until its executors are gone. Its
// driver is over; app "" = it had no application, as far as its log tells.
//
// A cluster that cannot be asked holds back only what was cancelled: an unconfirmed
// cancel is an outcome of its own, while a driver that failed by itself has told its
// verdict, and its cluster may be the reason.
func (f *spark) gone(ctx context.Context, c Config, job jobdir.Job, app string, status pluginsdk.Status) (pluginsdk.Status, error) {
	if app == "" || len(c.uis()) == 0 {
		return status, nil
	}
	var noted gone
	if job.ReadRecord(goneRecord, &noted) == nil && noted.App == app {
		return status, nil
	}
	left, err := f.left(ctx, c, app)
	switch {
	case err != nil && status.Phase == pluginsdk.Cancelled:
		return status, pluginsdk.Unreachable(fmt.Errorf("whether the executors of %s are gone cannot be asked: %w", app, err))
	case err != nil:
		return status, nil
	case left != "":
		return pluginsdk.Status{Phase: pluginsdk.Cancelling, NativeState: "ending", Reason: "ExecutorsEnding",
			Message: "the driver is over; " + left}, nil
	}
	if err := job.PutRecord(goneRecord, gone{App: app}); err != nil {
		return status, pluginsdk.Unreachable(err)
	}
	f.seen.forget(job.Dir)
	return status, nil
}

// left says what of an application is still there, or "".
func (f *spark) left(ctx context.Context, c Config, app string) (string, error) {
	client := standalone.Client{HTTP: f.seen.http}
	master, err := client.Master(ctx, c.uis())
	if err != nil {
		return "", err
	}
	if master.Has(app) {
		return "the master still has the application " + app, nil
	}
	n, err := client.Executors(ctx, master, app)
	if err != nil {
		return "", err
	}
	if n > 0 {
		return fmt.Sprintf("%d executors of %s are still there", n, app), nil
	}
	return "", nil
}
