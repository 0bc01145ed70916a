package main

import (
	"context"

	"github.com/stephost/stephost/pluginsdk"
)

// Status reads the job. It changes nothing; Watch brings dead runners back.
func (l *local) Status(ctx context.Context, c Config, h pluginsdk.Handle) (pluginsdk.Status, error) {
	state, err := l.state(c)
	if err != nil {
		return pluginsdk.Status{}, err
	}
	return l.jobs.Status(ctx, state, h, nil)
}

// Watch reports each change, woken by the kernel.
func (l *local) Watch(ctx context.Context, c Config, h pluginsdk.Handle, report func(pluginsdk.Status)) error {
	state, err := l.state(c)
	if err != nil {
		return err
	}
	return l.jobs.Watch(ctx, state, h, nil, report)
}
