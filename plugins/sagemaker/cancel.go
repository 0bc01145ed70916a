package main

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"

	"github.com/stephost/stephost/pluginsdk"
)

// Cancel asks SageMaker to stop the job. The step gets SIGTERM and 120 seconds:
// SageMaker knows no other grace, and nothing harder
// (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopTrainingJob.html).
// Status says when it is gone.
func (g *sagemaker) Cancel(ctx context.Context, c Config, h pluginsdk.Handle, _ pluginsdk.CancelOptions) error {
	name, err := jobOf(h)
	if err != nil {
		return err
	}
	cl, err := g.open(ctx, c)
	if err != nil {
		return err
	}
	_, err = cl.api.StopTrainingJob(ctx, &api.StopTrainingJobInput{TrainingJobName: aws.String(name)})
	if err == nil {
		return nil
	}
	if noSuchJob(err) {
		return pluginsdk.ErrAlreadyOver
	}
	if codeOf(err) != "ValidationException" {
		return cl.ask(err)
	}
	// A job that is over or already stopping is refused with a text that is
	// documented nowhere: its state decides.
	d, err := cl.describe(ctx, name)
	if err != nil {
		return cl.ask(err)
	}
	switch d.TrainingJobStatus {
	case types.TrainingJobStatusCompleted, types.TrainingJobStatusFailed, types.TrainingJobStatusStopped:
		return pluginsdk.ErrAlreadyOver
	case types.TrainingJobStatusStopping:
		return nil
	}
	return pluginsdk.System(err)
}
