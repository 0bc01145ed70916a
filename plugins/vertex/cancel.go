package main

import (
	"context"

	"cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stephost/stephost/plugins/vertex/internal/gcp"
	"github.com/stephost/stephost/pluginsdk"
)

// Cancel asks Vertex AI to end the job, and returns when it has accepted. That
// is "best effort" by its own word (JobService.CancelCustomJob), so the job
// counts as cancelled only when its state says so. There is neither a grace nor
// a harder way: what the containers get before they end is Vertex AI's.
func (v *vertex) Cancel(ctx context.Context, c Config, h pluginsdk.Handle, _ pluginsdk.CancelOptions) error {
	d, err := readHandle(h)
	if err != nil {
		return err
	}
	q, err := v.open(ctx, c)
	if err != nil {
		return err
	}
	job, err := q.Jobs.GetCustomJob(ctx, &aiplatformpb.GetCustomJobRequest{Name: d.Job})
	if gcp.IsNotFound(err) {
		return pluginsdk.ErrAlreadyOver
	}
	if err != nil {
		return q.ask(err)
	}
	switch phase := phaseOf(job.GetState()); {
	case phase.Terminal():
		return pluginsdk.ErrAlreadyOver
	case phase == pluginsdk.Cancelling:
		return nil
	}
	_, err = q.Jobs.CancelCustomJob(ctx, &aiplatformpb.CancelCustomJobRequest{Name: d.Job})
	switch status.Code(err) {
	case codes.NotFound:
		return pluginsdk.ErrAlreadyOver
	case codes.FailedPrecondition:
		// It ended, or was cancelled, between the two calls (assumption): Watch
		// tells which.
		return nil
	}
	return q.ask(err)
}
