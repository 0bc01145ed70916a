package main

import (
	"context"

	"github.com/stephost/stephost/pluginsdk"
)

// Find looks into the state directory. It answers UNDETERMINED only for a driver
// whose creation was sent and not answered: then nobody can know.
func (f *spark) Find(ctx context.Context, c Config, q pluginsdk.Query) (pluginsdk.Found, error) {
	if c.onKubernetes() {
		return f.kube.Find(ctx, c.job(), q)
	}
	state, err := f.state(c)
	if err != nil {
		return pluginsdk.Found{}, err
	}
	found, err := f.jobs.Find(ctx, state, q)
	if err != nil {
		return pluginsdk.Found{}, err
	}
	known := found.Jobs[:0]
	for _, one := range found.Jobs {
		job, err := state.Job(one.Handle.Key)
		if err != nil {
			return pluginsdk.Found{}, err
		}
		is, undetermined, err := f.foundDriver(job, &one)
		switch {
		case err != nil:
			return pluginsdk.Found{}, err
		case is && undetermined:
			found.Undetermined = true
			continue
		}
		known = append(known, one)
	}
	found.Jobs = known
	return found, nil
}
