package main

import (
	"context"
	"errors"

	"github.com/stephost/stephost/pluginsdk"
)

// Validate refuses what cannot work from here. It creates nothing and uses no
// network.
func (f *spark) Validate(_ context.Context, c Config, s *pluginsdk.Step) error {
	if c.onKubernetes() {
		return f.kube.ValidateOf(c.job(), s, c.make())
	}
	state, err := f.state(c)
	if err != nil {
		return err
	}
	var found []error
	for _, name := range c.InheritEnv {
		if f.getenv(name) == "" {
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
	if _, err := f.build(c, job, s); err != nil {
		found = append(found, err)
	}
	return errors.Join(found...)
}
