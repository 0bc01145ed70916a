package main

import (
	"context"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"

	"github.com/stephost/stephost/pluginsdk"
)

// Find looks for a key by the job's name, which is a consistent read, and for a
// run token by the tag, which is a search: a fresh job may be missing in it.
func (g *sagemaker) Find(ctx context.Context, c Config, q pluginsdk.Query) (pluginsdk.Found, error) {
	cl, err := g.open(ctx, c)
	if err != nil {
		return pluginsdk.Found{}, err
	}
	if q.Key == "" {
		return cl.findToken(ctx, q.Token)
	}
	d, err := cl.describe(ctx, jobName(q.Key))
	if err != nil {
		if noSuchJob(err) {
			return pluginsdk.Found{}, nil
		}
		return pluginsdk.Found{}, cl.ask(err)
	}
	held, err := cl.tags(ctx, aws.ToString(d.TrainingJobArn))
	if err != nil {
		return pluginsdk.Found{}, err
	}
	job := found(held, aws.ToString(d.TrainingJobName), aws.ToString(d.TrainingJobArn), statusOf(d).Phase)
	job.CreatedAt = aws.ToTime(d.CreationTime)
	return pluginsdk.Found{Jobs: []pluginsdk.Job{job}}, nil
}

func (cl *client) findToken(ctx context.Context, token string) (pluginsdk.Found, error) {
	var all pluginsdk.Found
	in := &api.SearchInput{Resource: types.ResourceTypeTrainingJob, SearchExpression: &types.SearchExpression{
		Filters: []types.Filter{{Name: aws.String("Tags." + tagToken), Operator: types.OperatorEquals, Value: aws.String(tokenTag(token))}},
	}}
	for page := api.NewSearchPaginator(cl.api, in); page.HasMorePages(); {
		out, err := page.NextPage(ctx)
		if err != nil {
			return pluginsdk.Found{}, cl.ask(err)
		}
		for _, r := range out.Results {
			t := r.TrainingJob
			if t == nil {
				continue
			}
			held := map[string]string{}
			for _, tag := range t.Tags {
				held[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
			}
			if held[tagToken] != tokenTag(token) || held[tagKey] == "" || aws.ToString(t.TrainingJobName) != jobName(held[tagKey]) {
				continue // somebody's copy of the tags
			}
			job := found(held, aws.ToString(t.TrainingJobName), aws.ToString(t.TrainingJobArn), statusOf(fromSearch(t)).Phase)
			job.CreatedAt = aws.ToTime(t.CreationTime)
			all.Jobs = append(all.Jobs, job)
		}
	}
	all.Undetermined = len(all.Jobs) == 0
	return all, nil
}

func found(held map[string]string, name, arn string, phase pluginsdk.Phase) pluginsdk.Job {
	attempt, _ := strconv.Atoi(held[tagAttempt])
	h := handleOf(placeOfARN(arn), name, attempt, false)
	h.Key = held[tagKey]
	return pluginsdk.Job{Handle: h, Attempt: attempt, RequestDigest: held[tagDigest], Phase: phase, RunID: held[tagRun]}
}

// fromSearch is the part of a search result that a status is made of.
func fromSearch(t *types.TrainingJob) *api.DescribeTrainingJobOutput {
	return &api.DescribeTrainingJobOutput{
		TrainingJobName: t.TrainingJobName, TrainingJobArn: t.TrainingJobArn, TrainingJobStatus: t.TrainingJobStatus,
		SecondaryStatus: t.SecondaryStatus, SecondaryStatusTransitions: t.SecondaryStatusTransitions, FailureReason: t.FailureReason,
		CreationTime: t.CreationTime, TrainingStartTime: t.TrainingStartTime, TrainingEndTime: t.TrainingEndTime,
		LastModifiedTime: t.LastModifiedTime, EnableManagedSpotTraining: t.EnableManagedSpotTraining,
	}
}
