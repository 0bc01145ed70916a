package main

import (
	"context"
	"errors"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached"
)

// Validate refuses what this machine cannot give. It creates nothing.
func (l *local) Validate(_ context.Context, c Config, s *pluginsdk.Step) error {
	state, err := l.state(c)
	if err != nil {
		return err
	}
	var found []error
	for _, name := range c.InheritEnv {
		if l.getenv(name) == "" {
			found = append(found, pluginsdk.Warn("config.inherit_env", "%s is not set here, or the flavor's pass_env does not let it through", name))
		}
	}
	if s == nil {
		return errors.Join(found...)
	}
	job, err := state.Job(placeholderKey)
	if err != nil {
		return err
	}
	if _, err := l.build(c, state, job, s); err != nil {
		found = append(found, err)
	}
	return errors.Join(found...)
}

// Preflight looks whether the state directory can be used.
func (l *local) Preflight(_ context.Context, c Config, _ *pluginsdk.Step) error {
	state, err := l.state(c)
	if err != nil {
		return err
	}
	return detached.CheckState(state)
}
