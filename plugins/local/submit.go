package main

import (
	"context"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
	"github.com/stephost/stephost/pluginsdk/detached/runner"
)

// Submit starts the step's runner, unless the key has one, or had one.
func (l *local) Submit(ctx context.Context, c Config, s *pluginsdk.Step) (pluginsdk.Handle, error) {
	state, err := l.state(c)
	if err != nil {
		return pluginsdk.Handle{}, pluginsdk.Rejected(err)
	}
	return l.jobs.Submit(ctx, state, s, func(job jobdir.Job) (*runner.Spec, error) {
		request, err := l.build(c, state, job, s)
		if err != nil {
			return nil, err
		}
		if request.unlimited != "" {
			s.Warn("resources.memory", "%s", request.unlimited)
		}
		return &request.spec, nil
	})
}
