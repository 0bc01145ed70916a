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
	// explainEvery is how often a job that waits is read alone, for the reason.
	explainEvery = time.Minute
)

// StatusBatch follows all runs with one list of stephost's jobs, which begins
// with the newest (assumption) and is read until all were seen: its pages depend
// on how many jobs are younger than the oldest watched one. A job that is over is
// read alone, for its reason; one that the list does not name, too.
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
	err = cl.list(ctx, propOwner+"=1", func(job *ml.JobBase) bool {
		listed++
		i, ok := index[text(job.Name)]
		if !ok {
			return listed < mostListed
		}
		left--
		if s := statusOf(job); !s.Phase.Terminal() {
			s.URL = c.studio(text(job.Name))
			if !cl.worthAsking(job, s) {
				out[i] = pluginsdk.StatusResult{Status: s}
			}
			cl.phases.Note(text(job.Name), s.Phase)
		}
		return left > 0 && listed < mostListed
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// worthAsking tells whether the run history should be asked why a job waits: it
// does for long, was not asked for a while, and the budget has room.
func (cl *client) worthAsking(job *ml.JobBase, s pluginsdk.Status) bool {
	if s.Phase != pluginsdk.Queued && s.Phase != pluginsdk.Provisioning || time.Since(createdAt(job)) < explainAfter {
		return false
	}
	if 2*cl.states.Left() < cl.states.Most() {
		return false
	}
	cl.mu.Lock()
	defer cl.mu.Unlock()
	now := time.Now()
	if now.Sub(cl.explained[text(job.Name)]) < explainEvery {
		return false
	}
	const most = 4096
	if cl.explained == nil || len(cl.explained) >= most {
		cl.explained = map[string]time.Time{}
	}
	cl.explained[text(job.Name)] = now
	return true
}
