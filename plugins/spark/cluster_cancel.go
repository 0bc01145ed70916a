package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
)

// cancelDriver has the master kill the driver. The wish is stored before: the
// driver's end then counts as what was asked for.
func (f *spark) cancelDriver(ctx context.Context, c Config, job jobdir.Job, d driver, o pluginsdk.CancelOptions) error {
	if _, err := job.ReadExit(); err == nil {
		return pluginsdk.ErrAlreadyOver
	}
	if d.ID == "" {
		return pluginsdk.Unreachable(errors.New("the answer of the REST API was lost: the driver has no name to kill it by"))
	}
	now, err := f.client(c, d).Driver(ctx, d.ID)
	if err != nil {
		return couldNotAsk(err)
	}
	if _, exit := judge(now, true); exit != nil {
		return pluginsdk.ErrAlreadyOver
	}
	if err := job.WriteCancel(jobdir.Cancel{At: time.Now().UTC(), Grace: o.Grace, Force: o.Force}); err != nil {
		return fmt.Errorf("storing the wish to cancel: %w", err)
	}
	if err := f.client(c, d).Kill(ctx, d.ID); err != nil {
		return couldNotAsk(err)
	}
	return nil
}
