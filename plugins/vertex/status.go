package main

import (
	"context"

	"cloud.google.com/go/aiplatform/apiv1/aiplatformpb"

	"github.com/stephost/stephost/plugins/vertex/internal/gcp"
	"github.com/stephost/stephost/pluginsdk"
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
	if err := q.states().Wait(ctx); err != nil {
		return pluginsdk.Status{}, err
	}
	job, err := q.Jobs.GetCustomJob(ctx, &aiplatformpb.GetCustomJobRequest{Name: d.Job})
	if gcp.IsNotFound(err) {
		q.v.phases.Note(d.Job, pluginsdk.Lost)
		return pluginsdk.Status{Phase: pluginsdk.Lost, Reason: "JobDeleted", NativeState: "deleted",
			Message: "Vertex AI has no job " + d.Job + " any more"}, nil
	}
	if err != nil {
		return pluginsdk.Status{}, q.ask(err)
	}
	st := statusOf(job)
	st.URL = console(q.project, q.c.Region, d.id())
	q.v.phases.Note(d.Job, st.Phase)
	if st.Phase.Terminal() {
		st.Outputs = q.outputs(ctx, job)
	}
	return st, nil
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
