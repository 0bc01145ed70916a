package main

import (
	"context"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	ml "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"

	"github.com/stephost/stephost/pluginsdk"
)

// Cancel asks AzureML to end the job, and returns when it has accepted. That
// starts a long-running operation; its end is not waited for, because only the
// job's own state says that nothing runs any more. AzureML knows no grace, and
// nothing harder.
func (g *azureml) Cancel(ctx context.Context, c Config, h pluginsdk.Handle, _ pluginsdk.CancelOptions) error {
	d, err := readHandle(h)
	if err != nil {
		return err
	}
	cl, err := g.open(ctx, c)
	if err != nil {
		return err
	}
	job, err := cl.get(ctx, d.Job)
	if gone(err) {
		return pluginsdk.ErrAlreadyOver
	}
	if err != nil {
		return cl.ask(err)
	}
	switch state := stateOf(job); {
	case phaseOf(state).Terminal():
		return pluginsdk.ErrAlreadyOver
	case state == ml.JobStatusCancelRequested:
		return nil
	}
	var answer *http.Response
	_, err = cl.jobs.BeginCancel(policy.WithCaptureResponse(ctx, &answer), c.ResourceGroup, c.WorkspaceName, d.Job, nil)
	switch {
	case err == nil, answer != nil && (answer.StatusCode == http.StatusOK || answer.StatusCode == http.StatusAccepted):
		return nil
	case gone(err):
		return pluginsdk.ErrAlreadyOver
	case statusCode(err) == http.StatusBadRequest, statusCode(err) == http.StatusConflict:
		// It ended, or was cancelled, between the two calls (assumption): its state
		// decides.
		job, readErr := cl.get(ctx, d.Job)
		if readErr != nil {
			return cl.ask(readErr)
		}
		switch state := stateOf(job); {
		case phaseOf(state).Terminal():
			return pluginsdk.ErrAlreadyOver
		case state == ml.JobStatusCancelRequested:
			return nil
		}
		return pluginsdk.System(err)
	}
	return cl.ask(err)
}
