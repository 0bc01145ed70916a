package main

import (
	"context"
	"strings"

	"github.com/stephost/stephost/pluginsdk"
)

// Status reads one job.
func (s slurm) Status(ctx context.Context, c Config, h pluginsdk.Handle) (pluginsdk.Status, error) {
	all, err := s.StatusBatch(ctx, c, []pluginsdk.Handle{h})
	if err != nil {
		return pluginsdk.Status{}, err
	}
	return all[0].Status, all[0].Err
}

// StatusBatch reads any number of jobs with one squeue, and one sacct for those
// that slurmctld knows no longer.
func (slurm) StatusBatch(ctx context.Context, c Config, hs []pluginsdk.Handle) ([]pluginsdk.StatusResult, error) {
	out := make([]pluginsdk.StatusResult, len(hs))
	records, jobs := make([]record, len(hs)), make([]string, len(hs))
	for i, h := range hs {
		records[i], jobs[i], out[i].Err = readHandle(c, h)
	}
	known, err := look(ctx, jobs, records)
	if err != nil {
		return nil, err
	}
	for i := range hs {
		if out[i].Err != nil {
			continue
		}
		if v, ok := known[jobs[i]]; ok {
			out[i].Status, out[i].Err = statusOf(records[i], v)
		} else {
			out[i].Status, out[i].Err = forgotten(records[i])
		}
		if out[i].Status.Phase.Terminal() {
			out[i].Status.Outputs = records[i].outputs()
		}
	}
	return out, nil
}

// look asks Slurm for jobs by number. Slurm uses numbers again after some
// millions of jobs: a job of another name is not the one.
func look(ctx context.Context, jobs []string, records []record) (map[string]view, error) {
	key := map[string]string{}
	for i, job := range jobs {
		if job != "" {
			key[job] = records[i].key
		}
	}
	known := map[string]view{}
	for _, ask := range []func(context.Context, ...string) ([]view, error){queue, accounts} {
		var missing []string
		for job := range key {
			if _, ok := known[job]; !ok {
				missing = append(missing, job)
			}
		}
		if len(missing) == 0 {
			break
		}
		found, err := ask(ctx, "--jobs="+strings.Join(missing, ","))
		if err != nil {
			return nil, err
		}
		for _, v := range found {
			if key[v.id] == v.name {
				known[v.id] = v
			}
		}
	}
	return known, nil
}
