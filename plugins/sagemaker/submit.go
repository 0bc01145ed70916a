package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"

	"github.com/stephost/stephost/pluginsdk"
)

// Submit makes the one creating call.
//
// Crash cases: this process or the connection dies before the call arrived
// (nothing is there, and the same call again makes the job); behind it (the job
// is there under its name, the same call again is refused with ResourceInUse, and
// the job is adopted when its tags are ours).
func (g *sagemaker) Submit(ctx context.Context, c Config, s *pluginsdk.Step) (pluginsdk.Handle, error) {
	p := placeOf(s.Scope)
	cl, err := g.open(ctx, c)
	if err != nil {
		return pluginsdk.Handle{}, pluginsdk.Rejected(err)
	}
	if !p.known() {
		if p, err = cl.place(ctx); err != nil {
			return pluginsdk.Handle{}, pluginsdk.Rejected(err)
		}
	}
	b, err := build(c, p, s)
	if err != nil {
		return pluginsdk.Handle{}, cl.unlessThere(ctx, p, s, err)
	}
	s.WarnAll(b.warnings)
	_, err = cl.api.CreateTrainingJob(ctx, b.input)
	var inUse *types.ResourceInUse
	var limit *types.ResourceLimitExceeded
	switch code := codeOf(err); {
	case err == nil:
		return handleOf(p, jobName(s.Key), s.Attempt, false), nil
	case errors.As(err, &inUse):
		return cl.adopt(ctx, p, s)
	case notSent(err), throttled(err), expired(code), signing(err), denied(code):
		// Not carried out; the same request may be sent again.
		return pluginsdk.Handle{}, pluginsdk.Rejected(cl.ask(err))
	case errors.As(err, &limit):
		return pluginsdk.Handle{}, cl.unlessThere(ctx, p, s, pluginsdk.Capacity(fmt.Errorf("the account's quota does not allow the job; ask for more in the console of Service Quotas: %w", err)))
	case refused(err):
		return pluginsdk.Handle{}, cl.unlessThere(ctx, p, s, pluginsdk.Config("", "SageMaker refuses the request: %w", err))
	}
	return pluginsdk.Handle{}, pluginsdk.Unreachable(err)
}

// unlessThere says REJECTED only when no earlier call of the same key made the
// job: a quota that is used up by the very job looks like a refusal.
func (cl *client) unlessThere(ctx context.Context, p place, s *pluginsdk.Step, refusal error) error {
	_, err := cl.describe(ctx, jobName(s.Key))
	if err != nil && noSuchJob(err) {
		return pluginsdk.Rejected(refusal)
	}
	if err != nil {
		return cl.ask(errors.Join(refusal, err))
	}
	return pluginsdk.Unreachable(fmt.Errorf("the job %s exists, although SageMaker said: %w", jobName(s.Key), refusal))
}

// adopt answers for a name that is taken: by this very request, or by another.
func (cl *client) adopt(ctx context.Context, p place, s *pluginsdk.Step) (pluginsdk.Handle, error) {
	name := jobName(s.Key)
	held, err := cl.tags(ctx, p.arn(name))
	if err != nil {
		return pluginsdk.Handle{}, err
	}
	if held[tagKey] != s.Key || held[tagDigest] != s.RequestDigest {
		return pluginsdk.Handle{}, pluginsdk.Rejected(pluginsdk.Config("",
			"the name %s belongs to another request (run %q, attempt %q): nothing was started", name, held[tagRun], held[tagAttempt]))
	}
	return handleOf(p, name, s.Attempt, true), nil
}

// tags are the tags of a job.
func (cl *client) tags(ctx context.Context, arn string) (map[string]string, error) {
	held := map[string]string{}
	for page := api.NewListTagsPaginator(cl.api, &api.ListTagsInput{ResourceArn: aws.String(arn)}); page.HasMorePages(); {
		out, err := page.NextPage(ctx)
		if err != nil {
			return nil, cl.ask(err)
		}
		for _, t := range out.Tags {
			held[aws.ToString(t.Key)] = aws.ToString(t.Value)
		}
	}
	return held, nil
}

func (cl *client) describe(ctx context.Context, name string) (*api.DescribeTrainingJobOutput, error) {
	return cl.api.DescribeTrainingJob(ctx, &api.DescribeTrainingJobInput{TrainingJobName: aws.String(name)})
}
