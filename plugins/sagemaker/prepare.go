package main

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"

	"github.com/stephost/stephost/pluginsdk"
)

// Prepare makes the experiment and the trial, when the step asks for that and
// they are missing. Else it does nothing.
func (g *sagemaker) Prepare(ctx context.Context, c Config, s *pluginsdk.Step, progress func(string)) (pluginsdk.Prepared, error) {
	var set Settings
	if err := s.DecodeSettings(&set); err != nil {
		return pluginsdk.Prepared{}, err
	}
	if !set.CreateExperiment || set.ExperimentName == "" {
		return pluginsdk.Prepared{}, nil
	}
	cl, err := g.open(ctx, c)
	if err != nil {
		return pluginsdk.Prepared{}, err
	}
	progress("experiment " + set.ExperimentName)
	done := pluginsdk.Prepared{Resources: []string{"experiment " + set.ExperimentName}}
	_, err = cl.api.CreateExperiment(ctx, &api.CreateExperimentInput{ExperimentName: aws.String(set.ExperimentName)})
	if err := cl.unlessMade(err); err != nil {
		return pluginsdk.Prepared{}, err
	}
	if set.TrialName == "" {
		return done, nil
	}
	_, err = cl.api.CreateTrial(ctx, &api.CreateTrialInput{ExperimentName: aws.String(set.ExperimentName), TrialName: aws.String(set.TrialName)})
	if err := cl.unlessMade(err); err != nil {
		return pluginsdk.Prepared{}, err
	}
	done.Resources = append(done.Resources, "trial "+set.TrialName)
	return done, nil
}

// unlessMade forgives that it is there already. SageMaker says that with a
// ValidationException (assumption: "already exists"), or with ResourceInUse.
func (cl *client) unlessMade(err error) error {
	var inUse *types.ResourceInUse
	switch {
	case err == nil, errors.As(err, &inUse):
		return nil
	case codeOf(err) == "ValidationException":
		if strings.Contains(err.Error(), "already exist") || strings.Contains(err.Error(), "must be unique") {
			return nil
		}
		return pluginsdk.Config("settings.experiment_name", "SageMaker refuses the experiment: %w", err)
	}
	return cl.ask(err)
}
