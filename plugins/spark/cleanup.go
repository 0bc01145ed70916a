package main

import (
	"context"
	"fmt"
	"os"

	"github.com/stephost/stephost/pluginsdk"
)

// Cleanup removes what an ended job left. Leftovers is what Prepare made for it and
// its work directory; Record is the whole job, its log and its outputs.
func (f *spark) Cleanup(ctx context.Context, c Config, h pluginsdk.Handle, what pluginsdk.What) error {
	if c.onKubernetes() {
		return f.cleanDriver(ctx, c, h, what)
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
		status, err := f.driverStatus(ctx, c, job, d)
		if err != nil {
			return err
		}
		if !status.Phase.Terminal() {
			return fmt.Errorf("the job is not over: driver %s", d.ID)
		}
		place := shared{dir: d.Shared, key: job.Key}
		if err := os.RemoveAll(place.staged()); err != nil {
			return err
		}
		if what == pluginsdk.Record {
			if err := os.RemoveAll(place.outputs()); err != nil {
				return err
			}
		}
	}
	if err := f.jobs.Cleanup(ctx, state, h, what); err != nil {
		return err
	}
	return os.RemoveAll(shipped{job: job}.dir())
}
