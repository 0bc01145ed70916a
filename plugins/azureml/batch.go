package main

import (
	"context"
	"time"

	ml "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"

	"github.com/stephost/stephost/pluginsdk"
)

const (
	// singly: so few jobs are read one by one, which costs no more calls than a
	// list and is never late.
	singly = 2
	// mostListed bounds a list: behind so many younger jobs of others a job is read
	// alone.
	mostListed = 5000
)

// StatusBatch follows all runs with one list of stephost's jobs, which begins
// with the newest (assumption) and is read until all were seen: its pages depend
// on how many jobs are younger than the oldest watched one. A job that is over is
// read alone, for its reason; so is one that the list does not name, and now and then
// one that waits.
func (g *azureml) StatusBatch(ctx context.Context, c Config, hs []pluginsdk.Handle) ([]pluginsdk.StatusResult, error) {
	out := make([]pluginsdk.StatusResult, len(hs))
	index := make(map[string]int, len(hs))
	for i, h := range hs {
		out[i].Err = pluginsdk.ErrAskSingly
		d, err := readHandle(h)
		if err != nil {
			out[i].Err = err
			continue
		}
		index[d.Job] = i
	}
	if len(hs) <= singly {
		return out, nil
	}
	cl, err := g.open(ctx, c)
	if err != nil {
		return nil, err
	}
	left, listed := len(index), 0
	var waiting []string
	err = cl.list(ctx, propOwner+"=1", func(job *ml.JobBase) bool {
		listed++
		i, ok := index[text(job.Name)]
		if !ok {
			return listed < mostListed
		}
		left--
		if s := statusOf(job); !s.Phase.Terminal() {
			s.URL = c.studio(text(job.Name))
			if waits(job, s) {
				waiting = append(waiting, text(job.Name))
				cl.reasons.recall(text(job.Name), &s)
			}
			out[i] = pluginsdk.StatusResult{Status: s}
			cl.phases.Note(text(job.Name), s.Phase)
		}
		return left > 0 && listed < mostListed
	})
	if err != nil {
		return nil, err
	}
	if 2*cl.states.Left() >= cl.states.Most() { // else the budget is for more than reasons
		if name := cl.reasons.next(waiting, time.Now()); name != "" {
			out[index[name]] = pluginsdk.StatusResult{Err: pluginsdk.ErrAskSingly}
		}
	}
	return out, nil
}
