package main

import (
	"context"
	"encoding/json"
	"strings"

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
	warn(s, b.warnings)
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
	// Arguments are shown as they are: no escaping for web pages.
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(map[string]any{"method": "PUT", "path": c.workspace() + "/jobs/" + name, "body": shown}); err != nil {
		return pluginsdk.Plan{}, err
	}
	return pluginsdk.Plan{Request: out.String(), Format: "json", Notes: b.notes}, nil
}

func warn(s *pluginsdk.Step, warnings []error) {
	for _, w := range warnings {
		if e, ok := w.(*pluginsdk.Error); ok {
			s.Warn(strings.Join(e.Attribute, "."), "%s", e.Summary)
		}
	}
}
