package main

import (
	"context"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached"
	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
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
	return detached.Validate(state, c.InheritEnv, f.getenv, s, func(job jobdir.Job) error {
		_, err := f.build(c, job, s)
		return err
	})
}
