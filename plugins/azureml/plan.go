package main

import (
	"context"

	ml "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"

	"github.com/stephost/stephost/pluginsdk"
)

// Plan shows the PUT that Submit would send, as JSON. Secrets are references.
func (g *azureml) Plan(ctx context.Context, c Config, s *pluginsdk.Step, online bool) (pluginsdk.Plan, error) {
	var p prepared
	if online {
		cl, err := g.open(ctx, c)
		if err != nil {
			return pluginsdk.Plan{}, err
		}
		if p.Environment, err = cl.newest(ctx, s); err != nil {
			return pluginsdk.Plan{}, err
		}
	}
	b, err := build(c, s, p)
	if err != nil {
		return pluginsdk.Plan{}, err
	}
	s.WarnAll(b.warnings)
	for name := range b.secret {
		b.job.EnvironmentVariables[name] = ptr("(secret)")
	}
	name := jobName(s.Key)
	if s.Key == "" {
		name = pluginsdk.KnownAtLaunch(namePrefix + "KEY")
	}
	shown, err := object(ml.JobBase{Properties: &b.job})
	if err != nil {
		return pluginsdk.Plan{}, err
	}
	return pluginsdk.JSONPlan(map[string]any{"method": "PUT", "path": c.workspace() + "/jobs/" + name, "body": shown}, b.notes)
}
