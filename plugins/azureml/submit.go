package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	ml "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"

	"github.com/stephost/stephost/pluginsdk"
)

// Submit looks for the job, and makes it with one PUT if it is not there.
//
// Crash cases: this process or the connection dies before the PUT arrived
// (nothing is there, and the same call again makes the job); behind it (the GET
// of the same call again finds the job, and nothing is PUT). Two at the same
// time: one PUT makes the job, the other is an update of its tags, which are the
// same; 201 tells the one from the other.
func (g *azureml) Submit(ctx context.Context, c Config, s *pluginsdk.Step) (pluginsdk.Handle, error) {
	none := pluginsdk.Handle{}
	cl, err := g.open(ctx, c)
	if err != nil {
		return none, pluginsdk.Rejected(err)
	}
	job, err := cl.get(ctx, jobName(s.Key))
	switch {
	case err == nil:
		return c.adopt(job, s)
	case !gone(err):
		// The PUT was not sent; an earlier one may have been.
		if notSent(err) || refusal(err) != nil && statusCode(err) < http.StatusInternalServerError {
			return none, pluginsdk.Rejected(cl.ask(err))
		}
		return none, cl.ask(err)
	}
	p, err := readPrepared(s)
	if err != nil {
		return none, pluginsdk.Rejected(err)
	}
	b, err := build(c, s, p)
	if err != nil {
		return none, pluginsdk.Rejected(err)
	}
	s.WarnAll(b.warnings)
	var answer *http.Response
	made, err := cl.jobs.CreateOrUpdate(policy.WithCaptureResponse(ctx, &answer), c.ResourceGroup, c.WorkspaceName, jobName(s.Key), ml.JobBase{Properties: &b.job}, nil)
	if err != nil {
		return none, cl.refused(ctx, s, err)
	}
	if answer != nil && answer.StatusCode == http.StatusCreated {
		return c.handleOf(&made.JobBase, false), nil
	}
	return c.adopt(&made.JobBase, s)
}

// refused tells what a failed PUT means. REJECTED is said only where the service
// answered so, and holds nothing for the key.
func (cl *client) refused(ctx context.Context, s *pluginsdk.Step, err error) error {
	code := statusCode(err)
	switch {
	case notSent(err), code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusTooManyRequests:
		return pluginsdk.Rejected(cl.ask(err)) // not carried out; the same request may be sent again
	case code < http.StatusBadRequest || code >= http.StatusInternalServerError || code == http.StatusRequestTimeout:
		return pluginsdk.Unreachable(err)
	}
	refusal := pluginsdk.Config("", "AzureML refuses the job: %w", err)
	if quota(err.Error()) {
		refusal = pluginsdk.Capacity(fmt.Errorf("the quota does not allow the job; ask for more in the studio under Quota: %w", err))
	}
	// Another process may have made the job in between.
	there, readErr := cl.get(ctx, jobName(s.Key))
	switch {
	case gone(readErr):
		return pluginsdk.Rejected(refusal)
	case readErr != nil:
		return cl.ask(errors.Join(refusal, readErr))
	}
	if _, other := cl.config.adopt(there, s); other != nil {
		return other
	}
	return pluginsdk.Unreachable(fmt.Errorf("the job %s exists, although AzureML said: %w", jobName(s.Key), refusal))
}

// adopt answers for a name that is taken: by this very request, or by another.
func (c Config) adopt(job *ml.JobBase, s *pluginsdk.Step) (pluginsdk.Handle, error) {
	held := propertiesOf(job)
	if held[propKey] != s.Key || held[propDigest] != s.RequestDigest {
		return pluginsdk.Handle{}, pluginsdk.Rejected(pluginsdk.Config("",
			"the name %s belongs to another request (run %q, attempt %q): nothing was started", text(job.Name), held[propRun], held[propAttempt]))
	}
	return c.handleOf(job, true), nil
}

// get reads a job.
func (cl *client) get(ctx context.Context, name string) (*ml.JobBase, error) {
	got, err := cl.jobs.Get(ctx, cl.config.ResourceGroup, cl.config.WorkspaceName, name, nil)
	if err != nil {
		return nil, err
	}
	return &got.JobBase, nil
}

// propertiesOf are the properties of a job.
func propertiesOf(job *ml.JobBase) map[string]string {
	out := map[string]string{}
	if job.Properties == nil {
		return out
	}
	for name, value := range job.Properties.GetJobBaseProperties().Properties {
		out[name] = text(value)
	}
	return out
}
