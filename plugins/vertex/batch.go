package main

import (
	"context"
	"time"

	"cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/stephost/stephost/pluginsdk"
)

// Limits of StatusBatch.
const (
	// singly: so few jobs are read one by one, which costs no more calls than a
	// list and is never late.
	singly = 2
	// clockSlack: `created` of a handle is the backend's own time, to the
	// microsecond; a filter has seconds.
	clockSlack = time.Second
	// mostJobs bounds a list: far more than a project may run at once.
	mostJobs = 20000
)

// StatusBatch reads all jobs that are not over with one list, and asks singly
// for those that it does not name: they are over, or not listed yet.
func (v *vertex) StatusBatch(ctx context.Context, c Config, hs []pluginsdk.Handle) ([]pluginsdk.StatusResult, error) {
	out := make([]pluginsdk.StatusResult, len(hs))
	index := make(map[string]int, len(hs))
	oldest := time.Time{}
	for i, h := range hs {
		out[i].Err = pluginsdk.ErrAskSingly
		d, err := readHandle(h)
		if err != nil {
			out[i].Err = err
			continue
		}
		index[d.Job] = i
		if oldest.IsZero() || d.Created.Before(oldest) {
			oldest = d.Created
		}
	}
	if len(hs) <= singly {
		return out, nil
	}
	q, err := v.open(ctx, c)
	if err != nil {
		return nil, err
	}
	jobs, err := q.live(ctx, oldest.Add(-clockSlack))
	if err != nil {
		return nil, q.ask(err)
	}
	for _, job := range jobs {
		i, ok := index[job.GetName()]
		if !ok || phaseOf(job.GetState()).Terminal() {
			continue
		}
		st := statusOf(job)
		st.URL = console(q.project, c.Region, handleData{Job: job.GetName()}.id())
		out[i] = pluginsdk.StatusResult{Status: st}
		v.phases.Note(job.GetName(), st.Phase)
	}
	return out, nil
}

// live lists stephost's jobs that are not over. The list leaves out what is not
// needed for a phase.
func (q *session) live(ctx context.Context, since time.Time) ([]*aiplatformpb.CustomJob, error) {
	filter := "labels." + labelOwner + "=1 AND create_time>=\"" + since.UTC().Format(time.RFC3339) + "\""
	for _, state := range []aiplatformpb.JobState{
		aiplatformpb.JobState_JOB_STATE_SUCCEEDED, aiplatformpb.JobState_JOB_STATE_FAILED,
		aiplatformpb.JobState_JOB_STATE_CANCELLED, aiplatformpb.JobState_JOB_STATE_EXPIRED,
	} {
		filter += " AND state!=\"" + state.String() + "\""
	}
	var jobs []*aiplatformpb.CustomJob
	r := &aiplatformpb.ListCustomJobsRequest{Parent: q.parent(), Filter: filter, PageSize: pageSize,
		ReadMask: &fieldmaskpb.FieldMask{Paths: []string{"name", "state", "create_time", "start_time", "update_time", "labels"}}}
	for {
		if err := q.states().Wait(ctx); err != nil {
			return nil, err
		}
		page, err := q.Jobs.ListCustomJobs(ctx, r)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, page.GetCustomJobs()...)
		if r.PageToken = page.GetNextPageToken(); r.PageToken == "" || len(jobs) >= mostJobs {
			return jobs, nil
		}
	}
}
