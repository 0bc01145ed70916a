package main

import (
	"context"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached"
	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
)

// Validate refuses what this machine cannot give. It creates nothing.
func (l *local) Validate(_ context.Context, c Config, s *pluginsdk.Step) error {
	state, err := l.state(c)
	if err != nil {
		return err
	}
	return detached.Validate(state, c.InheritEnv, l.getenv, s, func(job jobdir.Job) error {
		_, err := l.build(c, state, job, s)
		return err
	})
}

// Preflight looks whether the state directory can be used.
func (l *local) Preflight(_ context.Context, c Config, _ *pluginsdk.Step) error {
	state, err := l.state(c)
	if err != nil {
		return err
	}
	return detached.CheckState(state)
}
