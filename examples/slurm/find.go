package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/user"
	"slices"

	"github.com/stephost/stephost/pluginsdk"
)

// Find asks Slurm for the job of a key by its name, or for those of a run token
// by their comments. What Slurm has forgotten is found by its record.
func (slurm) Find(ctx context.Context, c Config, q pluginsdk.Query) (pluginsdk.Found, error) {
	if q.Key != "" {
		r, err := recordOf(c, q.Key)
		if err != nil {
			return pluginsdk.Found{}, err
		}
		jobs, err := findByKey(ctx, r)
		return pluginsdk.Found{Jobs: jobs}, err
	}
	jobs, err := findByToken(ctx, c, q.Token)
	return pluginsdk.Found{Jobs: jobs}, err
}

func findByKey(ctx context.Context, r record) ([]pluginsdk.Job, error) {
	who, err := user.Current()
	if err != nil {
		return nil, pluginsdk.Unreachable(err)
	}
	for _, q := range []struct {
		ask    func(context.Context, ...string) ([]view, error)
		filter string
	}{{queue, "--name=" + r.key}, {accounts, "--name=" + r.key}, {accounts, namelessSince}} {
		found, err := q.ask(ctx, "--user="+who.Username, q.filter)
		if err != nil {
			return nil, err
		}
		found = slices.DeleteFunc(found, func(v view) bool { return v.name != r.key })
		if len(found) > 0 {
			return jobsOf(found, r)
		}
	}
	job, ok, err := remembered(r)
	if err != nil || !ok {
		return nil, err
	}
	return []pluginsdk.Job{job}, nil
}

func findByToken(ctx context.Context, c Config, token string) ([]pluginsdk.Job, error) {
	who, err := user.Current()
	if err != nil {
		return nil, pluginsdk.Unreachable(err)
	}
	queued, err := queue(ctx, "--user="+who.Username)
	if err != nil {
		return nil, err
	}
	var jobs []pluginsdk.Job
	seen := map[string]bool{}
	for _, v := range queued {
		m, ok := fromComment(v.comment)
		if !ok || m.Token != token {
			continue
		}
		r, err := recordOf(c, v.name)
		if err != nil {
			return nil, err
		}
		more, err := jobsOf([]view{v}, r)
		if err != nil {
			return nil, err
		}
		seen[v.name] = true
		jobs = append(jobs, more...)
	}
	entries, err := os.ReadDir(jobsDir(c))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, pluginsdk.Unreachable(err)
	}
	for _, e := range entries {
		r, err := recordOf(c, e.Name())
		if err != nil || seen[e.Name()] {
			continue // no record, or told already
		}
		if m, err := r.meta(); err != nil || m.Token != token {
			continue // no record yet, removed just now, or of another run
		}
		more, err := findByKey(ctx, r)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, more...)
	}
	return jobs, nil
}

// jobsOf are jobs that Slurm knows. The comment is the better witness: it came
// with the creating call, and the record may be gone.
func jobsOf(found []view, r record) ([]pluginsdk.Job, error) {
	var jobs []pluginsdk.Job
	for _, v := range found {
		m, ok := fromComment(v.comment)
		if !ok {
			m, _ = r.meta() // sacct keeps comments only if told to
		}
		status, err := statusOf(r, v)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, pluginsdk.Job{
			Handle: handleOf(r.key, v.id), Attempt: m.Attempt, RequestDigest: m.Digest, RunID: m.Run,
			Phase: status.Phase, CreatedAt: v.submit,
		})
	}
	return jobs, nil
}

// remembered is a job that only its record still knows.
func remembered(r record) (job pluginsdk.Job, ok bool, err error) {
	id, err := r.text("id")
	if err != nil || id == "" {
		return job, false, err
	}
	m, err := r.meta()
	if err != nil {
		return job, false, pluginsdk.Unreachable(err)
	}
	status, err := forgotten(r)
	return pluginsdk.Job{
		Handle: handleOf(r.key, id), Attempt: m.Attempt, RequestDigest: m.Digest, RunID: m.Run,
		Phase: status.Phase, CreatedAt: m.Created,
	}, err == nil, err
}
