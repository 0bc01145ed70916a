package detached

import (
	"context"
	"errors"
	"io/fs"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
)

// Find looks into the state directory. What it reads is the truth and not a
// copy, so it never answers UNDETERMINED.
func (j *Jobs) Find(_ context.Context, state jobdir.State, q pluginsdk.Query) (pluginsdk.Found, error) {
	keys := []string{q.Key}
	if q.Key == "" {
		var err error
		if keys, err = state.Keys(q.Token); err != nil {
			return pluginsdk.Found{}, pluginsdk.Unreachable(err)
		}
	}
	var found pluginsdk.Found
	for _, key := range keys {
		job, err := state.Job(key)
		if err != nil {
			return pluginsdk.Found{}, err
		}
		meta, err := job.ReadMeta()
		if errors.Is(err, fs.ErrNotExist) {
			continue // its Submit died before it existed, or it was removed
		}
		if err != nil {
			return pluginsdk.Found{}, pluginsdk.Unreachable(err)
		}
		if q.Key == "" && meta.RunToken != q.Token {
			continue
		}
		one, err := foundJob(job, meta)
		if err != nil {
			return pluginsdk.Found{}, err
		}
		found.Jobs = append(found.Jobs, one)
	}
	return found, nil
}

func foundJob(job jobdir.Job, meta jobdir.Meta) (pluginsdk.Job, error) {
	view, err := job.View()
	if err != nil {
		return pluginsdk.Job{}, pluginsdk.Unreachable(err)
	}
	status, _, err := look(job)
	if err != nil {
		// It exists, and that is what was asked. In another container nothing
		// more can be said.
		status.Phase = pluginsdk.Running
	}
	return pluginsdk.Job{
		Handle: HandleOf(job, false), Attempt: int(meta.Attempt), RequestDigest: meta.RequestDigest,
		// Without `started` nothing has run: Submit must begin it.
		Incomplete: view.Exit == nil && view.Started == nil && view.Cancel == nil,
		Phase:      status.Phase, CreatedAt: meta.CreatedAt, RunID: meta.RunID,
	}, nil
}
