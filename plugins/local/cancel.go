package main

import (
	"context"

	"github.com/stephost/stephost/pluginsdk"
)

// Cancel stores the wish and wakes the runner, which sees it through.
func (l *local) Cancel(ctx context.Context, c Config, h pluginsdk.Handle, o pluginsdk.CancelOptions) error {
	state, err := l.state(c)
	if err != nil {
		return err
	}
	return l.jobs.Cancel(ctx, state, h, o)
}
