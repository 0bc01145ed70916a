package main

import (
	"context"

	"github.com/stephost/stephost/pluginsdk"
)

// Cleanup removes what an ended job left. Leftovers is the work directory of
// this flavor's own (the host removes the one that it gave); Record is the
// whole job, its log and its outputs.
func (l *local) Cleanup(ctx context.Context, c Config, h pluginsdk.Handle, what pluginsdk.What) error {
	state, err := l.state(c)
	if err != nil {
		return err
	}
	return l.jobs.Cleanup(ctx, state, h, what)
}
