package main

import (
	"context"
	"time"

	ml "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"

	"github.com/stephost/stephost/pluginsdk"
)

// Status reads one job; the reason of its end, or of a long wait, comes from the
// run history. A job that somebody deleted is lost.
func (g *azureml) Status(ctx context.Context, c Config, h pluginsdk.Handle) (pluginsdk.Status, error) {
	d, err := readHandle(h)
	if err != nil {
		return pluginsdk.Status{}, err
	}
	cl, err := g.open(ctx, c)
	if err != nil {
		return pluginsdk.Status{}, err
	}
	if err := cl.states.Wait(ctx); err != nil {
		return pluginsdk.Status{}, err
	}
	job, err := cl.get(ctx, d.Job)
	if gone(err) {
		cl.phases.Note(d.Job, pluginsdk.Lost)
		return pluginsdk.Status{Phase: pluginsdk.Lost, Reason: "JobDeleted", NativeState: "deleted",
			Message: "the job " + d.Job + " does not exist any more: somebody deleted it"}, nil
	}
	if err != nil {
		return pluginsdk.Status{}, cl.ask(err)
	}
	s := statusOf(job)
	s.URL = c.studio(d.Job)
	waiting := waits(job, s)
	if !s.Phase.Terminal() && !waiting {
		cl.phases.Note(d.Job, s.Phase)
		return s, nil
	}
	if err := cl.states.Wait(ctx); err != nil {
		return pluginsdk.Status{}, err
	}
	run, err := cl.details(ctx, d.Job)
	switch {
	case err == nil:
	case gone(err) || waiting:
		run = &runDetails{} // a run history that has not heard of the job says nothing
	default:
		return pluginsdk.Status{}, cl.ask(err)
	}
	s.StartedAt, s.EndedAt = run.Start, run.End
	if waiting {
		explain(run, &s)
		cl.reasons.learned(d.Job, s, time.Now())
	}
	if s.Phase.Terminal() {
		judge(job, run, &s)
		s.Outputs = cl.outputs(ctx, d.Job)
	}
	cl.phases.Note(d.Job, s.Phase)
	return s, nil
}

// waits tells whether a job has waited so long that a person wants to know why.
func waits(job *ml.JobBase, s pluginsdk.Status) bool {
	return (s.Phase == pluginsdk.Queued || s.Phase == pluginsdk.Provisioning) && time.Since(createdAt(job)) > explainAfter
}

func stateOf(job *ml.JobBase) ml.JobStatus {
	if job.Properties == nil || job.Properties.GetJobBaseProperties().Status == nil {
		return ml.JobStatusUnknown
	}
	return *job.Properties.GetJobBaseProperties().Status
}

func createdAt(job *ml.JobBase) time.Time {
	if job.SystemData == nil || job.SystemData.CreatedAt == nil {
		return time.Time{}
	}
	return *job.SystemData.CreatedAt
}

// phaseOf maps the states of the API; their meaning is that of JobStatus in the
// vendor's SDK. 0 for one that says nothing: the last phase stays.
func phaseOf(state ml.JobStatus) pluginsdk.Phase {
	switch state {
	case ml.JobStatusNotStarted, ml.JobStatusQueued:
		return pluginsdk.Queued
	case ml.JobStatusStarting, ml.JobStatusProvisioning, ml.JobStatusPreparing:
		return pluginsdk.Provisioning
	case ml.JobStatusRunning, ml.JobStatusFinalizing, ml.JobStatusPaused, ml.JobStatusNotResponding:
		return pluginsdk.Running
	case ml.JobStatusCancelRequested:
		return pluginsdk.Cancelling
	case ml.JobStatusCompleted:
		return pluginsdk.Succeeded
	case ml.JobStatusFailed:
		return pluginsdk.Failed
	case ml.JobStatusCanceled:
		return pluginsdk.Cancelled
	}
	return 0
}

// statusOf is what the resource manager tells of a job.
func statusOf(job *ml.JobBase) pluginsdk.Status {
	state := stateOf(job)
	s := pluginsdk.Status{Phase: phaseOf(state), NativeState: string(state), Reason: string(state)}
	switch state {
	case ml.JobStatusQueued, ml.JobStatusNotStarted:
		s.PhaseSince = createdAt(job)
		s.Message = "waits for a machine"
	case ml.JobStatusPreparing, ml.JobStatusStarting, ml.JobStatusProvisioning:
		s.Message = "the machine and the image are being prepared"
	case ml.JobStatusNotResponding:
		s.Message = "the job has sent no sign of life for a while"
	case ml.JobStatusFinalizing:
		s.Message = "the step is over, its outputs are being collected"
	case ml.JobStatusCompleted:
		s.ExitCode = pluginsdk.Exit(0)
	}
	return s
}
