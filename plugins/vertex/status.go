package main

import (
	"context"
	"time"

	"cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/stephost/stephost/plugins/vertex/internal/gcp"
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

// Status reads the job.
func (v *vertex) Status(ctx context.Context, c Config, h pluginsdk.Handle) (pluginsdk.Status, error) {
	d, err := readHandle(h)
	if err != nil {
		return pluginsdk.Status{}, err
	}
	q, err := v.open(ctx, c)
	if err != nil {
		return pluginsdk.Status{}, err
	}
	return q.status(ctx, d)
}

func (q *session) status(ctx context.Context, d handleData) (pluginsdk.Status, error) {
	if err := q.wait(ctx); err != nil {
		return pluginsdk.Status{}, err
	}
	job, err := q.Jobs.GetCustomJob(ctx, &aiplatformpb.GetCustomJobRequest{Name: d.Job})
	if gcp.IsNotFound(err) {
		q.v.ended.note(d.Job, true)
		return pluginsdk.Status{Phase: pluginsdk.Lost, Reason: "JobDeleted", NativeState: "deleted",
			Message: "Vertex AI has no job " + d.Job + " any more"}, nil
	}
	if err != nil {
		return pluginsdk.Status{}, q.ask(err)
	}
	st := statusOf(job)
	st.URL = console(q.project, q.c.Region, d.id())
	q.v.ended.note(d.Job, st.Phase.Terminal())
	if st.Phase.Terminal() {
		st.Outputs = q.outputs(ctx, job)
	}
	return st, nil
}

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
		v.ended.note(job.GetName(), false)
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
		if err := q.wait(ctx); err != nil {
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

// phaseOf maps the states of the API (JobState).
func phaseOf(state aiplatformpb.JobState) pluginsdk.Phase {
	switch state {
	case aiplatformpb.JobState_JOB_STATE_QUEUED:
		return pluginsdk.Queued
	case aiplatformpb.JobState_JOB_STATE_PENDING:
		return pluginsdk.Provisioning
	case aiplatformpb.JobState_JOB_STATE_RUNNING, aiplatformpb.JobState_JOB_STATE_UPDATING, aiplatformpb.JobState_JOB_STATE_PAUSED:
		return pluginsdk.Running
	case aiplatformpb.JobState_JOB_STATE_CANCELLING:
		return pluginsdk.Cancelling
	case aiplatformpb.JobState_JOB_STATE_SUCCEEDED:
		return pluginsdk.Succeeded
	case aiplatformpb.JobState_JOB_STATE_FAILED, aiplatformpb.JobState_JOB_STATE_EXPIRED, aiplatformpb.JobState_JOB_STATE_PARTIALLY_SUCCEEDED:
		return pluginsdk.Failed
	case aiplatformpb.JobState_JOB_STATE_CANCELLED:
		return pluginsdk.Cancelled
	}
	return 0 // a state of tomorrow: the last phase stays
}

// statusOf is the status of a job, but for its outputs.
func statusOf(job *aiplatformpb.CustomJob) pluginsdk.Status {
	st := pluginsdk.Status{Phase: phaseOf(job.GetState()), NativeState: job.GetState().String()}
	if t := job.GetStartTime(); t != nil {
		st.StartedAt = t.AsTime()
	}
	if t := job.GetEndTime(); t != nil {
		st.EndedAt = t.AsTime()
	}
	switch st.Phase {
	case pluginsdk.Queued:
		st.PhaseSince, st.Reason = job.GetCreateTime().AsTime(), "Queued"
		st.Message = "waits for room: for quota, for machines, or, with FLEX_START, for its place in the queue"
	case pluginsdk.Provisioning:
		st.Reason, st.Message = "Provisioning", "machines are being started and the image is being pulled"
	case pluginsdk.Running:
		st.PhaseSince = st.StartedAt
		if job.GetState() == aiplatformpb.JobState_JOB_STATE_PAUSED {
			st.Reason, st.Message = "Paused", "the job was stopped and can be resumed"
		}
	case pluginsdk.Succeeded:
		st.ExitCode = pluginsdk.Exit(0)
	case pluginsdk.Failed, pluginsdk.Cancelled:
		judge(job, &st)
	}
	return st
}
