package main

import (
	"context"
	"strconv"
	"strings"

	ml "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"

	"github.com/stephost/stephost/pluginsdk"
)

// Find looks for a key by the job's name, which is a consistent read, and for a
// run token by a property, which is a list: a fresh job may be missing in it for
// some seconds (assumption; the manifest's settle). If it is longer, nothing runs
// twice all the same: the key of an attempt follows from the token, and Submit
// looks for it by name.
func (g *azureml) Find(ctx context.Context, c Config, q pluginsdk.Query) (pluginsdk.Found, error) {
	var all pluginsdk.Found
	cl, err := g.open(ctx, c)
	if err != nil {
		return all, err
	}
	if q.Key != "" {
		job, err := cl.get(ctx, jobName(q.Key))
		if gone(err) {
			return all, nil
		}
		if err != nil {
			return all, cl.ask(err)
		}
		all.Jobs = append(all.Jobs, c.found(job))
		return all, nil
	}
	err = cl.list(ctx, propToken+"="+hashed(q.Token), func(job *ml.JobBase) bool {
		held := propertiesOf(job)
		// The filter is the service's; what it lets through is looked at again. Who
		// copies a job in the studio copies its properties too.
		if held[propToken] == hashed(q.Token) && text(job.Name) == jobName(held[propKey]) {
			all.Jobs = append(all.Jobs, c.found(job))
		}
		return true
	})
	if err != nil {
		return pluginsdk.Found{}, err
	}
	all.Undetermined = len(all.Jobs) == 0
	return all, nil
}

// list reads jobs with a property, archived ones too, until more says no.
func (cl *client) list(ctx context.Context, property string, more func(*ml.JobBase) bool) error {
	pager := cl.jobs.NewListPager(cl.config.ResourceGroup, cl.config.WorkspaceName, &ml.JobsClientListOptions{
		Properties: &property, ListViewType: ptr(ml.ListViewTypeAll),
	})
	for pager.More() {
		if err := cl.states.Wait(ctx); err != nil {
			return err
		}
		page, err := pager.NextPage(ctx)
		if err != nil {
			return cl.ask(err)
		}
		for _, job := range page.Value {
			if job != nil && job.Properties != nil && strings.HasPrefix(text(job.Name), namePrefix) && !more(job) {
				return nil
			}
		}
	}
	return nil
}

func (c Config) found(job *ml.JobBase) pluginsdk.Job {
	held := propertiesOf(job)
	out := pluginsdk.Job{Handle: c.handleOf(job, false), Attempt: attemptOf(job), RequestDigest: held[propDigest], Phase: phaseOf(stateOf(job)), RunID: held[propRun]}
	if job.SystemData != nil && job.SystemData.CreatedAt != nil {
		out.CreatedAt = *job.SystemData.CreatedAt
	}
	return out
}

func attemptOf(job *ml.JobBase) int {
	n, _ := strconv.Atoi(propertiesOf(job)[propAttempt])
	return n
}
