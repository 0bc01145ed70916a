package main

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"

	"github.com/stephost/stephost/pluginsdk"
)

// Status reads one job. A job that somebody deleted is lost.
func (g *sagemaker) Status(ctx context.Context, c Config, h pluginsdk.Handle) (pluginsdk.Status, error) {
	name, err := jobOf(h)
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
	d, err := cl.describe(ctx, name)
	if err != nil {
		if noSuchJob(err) {
			return pluginsdk.Status{Phase: pluginsdk.Lost, Reason: "JobDeleted",
				Message: "the training job " + name + " does not exist any more: somebody deleted it"}, nil
		}
		return pluginsdk.Status{}, cl.ask(err)
	}
	s := statusOf(d)
	s.URL = placeOfARN(aws.ToString(d.TrainingJobArn)).url(name)
	if s.Phase.Terminal() {
		s.Outputs = cl.outputs(ctx, d)
	}
	cl.remember(name, d, s)
	return s, nil
}

// statusOf makes a status of what SageMaker tells. The meaning of each word is
// that of https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_SecondaryStatusTransition.html.
func statusOf(d *api.DescribeTrainingJobOutput) pluginsdk.Status {
	s := pluginsdk.Status{NativeState: string(d.TrainingJobStatus) + "/" + string(d.SecondaryStatus)}
	last := lastTransition(d)
	if last != nil {
		s.PhaseSince, s.Message = aws.ToTime(last.StartTime), aws.ToString(last.StatusMessage)
	}
	s.Reason = string(d.SecondaryStatus)
	s.Restarts = restarts(d)
	s.StartedAt, s.EndedAt = aws.ToTime(d.TrainingStartTime), aws.ToTime(d.TrainingEndTime)
	switch d.TrainingJobStatus {
	case types.TrainingJobStatusInProgress:
		s.Phase = phaseOf(d.SecondaryStatus)
		// Messages are "subject to change": they explain and decide nothing.
		if strings.Contains(strings.ToLower(s.Message), "insufficient capacity") {
			s.Reason = "InsufficientCapacity"
		}
	case types.TrainingJobStatusStopping:
		s.Phase = pluginsdk.Cancelling
	case types.TrainingJobStatusCompleted:
		s.Phase, s.ExitCode = pluginsdk.Succeeded, pluginsdk.Exit(0)
	case types.TrainingJobStatusFailed:
		s.Phase, s.Message = pluginsdk.Failed, aws.ToString(d.FailureReason)
		failure(d, &s)
	case types.TrainingJobStatusStopped:
		stopped(d, &s)
	}
	return s
}

// phaseOf maps the secondary status of a job in progress; 0 for one that is not
// known: the SDK keeps the last phase.
func phaseOf(s types.SecondaryStatus) pluginsdk.Phase {
	switch s {
	case types.SecondaryStatusPending:
		return pluginsdk.Queued
	case types.SecondaryStatusStarting, types.SecondaryStatusLaunchingMlInstances, types.SecondaryStatusPreparingTrainingStack,
		types.SecondaryStatusDownloading, types.SecondaryStatusDownloadingTrainingImage, types.SecondaryStatusInterrupted,
		types.SecondaryStatusRestarting:
		return pluginsdk.Provisioning
	case types.SecondaryStatusTraining, types.SecondaryStatusUploading, types.SecondaryStatusUpdating:
		return pluginsdk.Running
	}
	return 0
}

// stopped is the end of a job that was ended: by a limit, or by somebody.
func stopped(d *api.DescribeTrainingJobOutput, s *pluginsdk.Status) {
	switch d.SecondaryStatus {
	case types.SecondaryStatusMaxRuntimeExceeded:
		s.Phase, s.Class = pluginsdk.Failed, pluginsdk.ClassTimeout
		s.Message = "SageMaker ended the job: it ran longer than MaxRuntimeInSeconds, the step's run limit"
	case types.SecondaryStatusMaxWaitTimeExceeded:
		s.Phase, s.Class = pluginsdk.Failed, pluginsdk.ClassTimeout
		s.Message = "SageMaker ended the spot job: it took longer than max_wait"
		if d.TrainingStartTime == nil {
			s.Class = pluginsdk.ClassCapacity
			s.Message = "there was no spot capacity within max_wait"
		}
	default:
		s.Phase = pluginsdk.Cancelled
	}
}

// restarts counts the starts that SageMaker made by itself: those behind an
// interruption of a spot instance, and behind a replaced one.
func restarts(d *api.DescribeTrainingJobOutput) int {
	n := 0
	before := types.SecondaryStatus("")
	for _, t := range d.SecondaryStatusTransitions {
		if t.Status == types.SecondaryStatusInterrupted || t.Status == types.SecondaryStatusRestarting && before != types.SecondaryStatusInterrupted {
			n++
		}
		before = t.Status
	}
	return n
}

func lastTransition(d *api.DescribeTrainingJobOutput) *types.SecondaryStatusTransition {
	if n := len(d.SecondaryStatusTransitions); n > 0 {
		return &d.SecondaryStatusTransitions[n-1]
	}
	return nil
}
