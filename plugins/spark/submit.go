package main

import (
	"context"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
	"github.com/stephost/stephost/pluginsdk/detached/runner"
)

// Submit starts spark-submit under a runner, or a driver by the REST API, unless
// the key has one, or had one.
func (f *spark) Submit(ctx context.Context, c Config, s *pluginsdk.Step) (pluginsdk.Handle, error) {
	if c.onKubernetes() {
		return f.kube.SubmitOf(ctx, c.job(), s, c.make())
	}
	state, err := f.state(c)
	if err != nil {
		return pluginsdk.Handle{}, pluginsdk.Rejected(err)
	}
	var set Settings
	if err := s.DecodeSettings(&set); err != nil {
		return pluginsdk.Handle{}, pluginsdk.Rejected(err)
	}
	if set.DeployMode == cluster {
		return f.submitCluster(ctx, c, state, s)
	}
	return f.jobs.Submit(ctx, state, s, func(job jobdir.Job) (*runner.Spec, error) {
		b, err := f.build(c, job, s)
		if err != nil {
			return nil, err
		}
		// Prepare has done it, unless what it made was removed since.
		if err := f.stage(ctx, c, b, job, s, func(string) {}); err != nil {
			return nil, err
		}
		return &runner.Spec{Argv: b.argv, Env: b.env, Dir: b.dir, Limit: s.Deadlines.Run}, nil
	})
}
