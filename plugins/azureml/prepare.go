package main

import (
	"context"
	"encoding/json"
	"fmt"

	ml "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"

	"github.com/stephost/stephost/pluginsdk"
)

// prepared is what Prepare hands to Submit.
type prepared struct {
	// Environment is the ID of the environment's version, where its newest one was
	// asked for.
	Environment string `json:"environment,omitempty"`
}

// readPrepared is for Submit; a job that needed no preparation has none.
func readPrepared(s *pluginsdk.Step) (p prepared, err error) {
	if len(s.Prepared) == 0 {
		return p, nil
	}
	if err := json.Unmarshal(s.Prepared, &p); err != nil {
		return p, fmt.Errorf("what Prepare left is damaged: %w", err)
	}
	return p, nil
}

// Prepare makes what the job refers to: the environment's version of an image,
// the code asset of the source, and, only if asked to, the compute. All are
// named by their content or by the person, so it may be repeated.
func (g *azureml) Prepare(ctx context.Context, c Config, s *pluginsdk.Step, progress func(string)) (pluginsdk.Prepared, error) {
	var out pluginsdk.Prepared
	var set Settings
	if err := s.DecodeSettings(&set); err != nil {
		return out, err
	}
	cl, err := g.open(ctx, c)
	if err != nil {
		return out, err
	}
	var p prepared
	if p.Environment, err = cl.newest(ctx, s); err != nil {
		return out, err
	}
	if _, err := build(c, s, p); err != nil { // a refusal comes before anything is made
		return out, err
	}
	if set.ComputeName != "" {
		progress("compute " + set.ComputeName)
		if err := cl.compute(ctx, set, s.Resources, progress); err != nil {
			return out, err
		}
		out.Resources = append(out.Resources, "compute "+set.ComputeName)
	}
	if image := s.Environment.Image; image != nil {
		version := imageVersion(image.Reference)
		progress("environment " + imageEnvironment)
		if err := cl.imageEnvironment(ctx, image.Reference, version); err != nil {
			return out, err
		}
		out.Resources = append(out.Resources, "environment "+imageEnvironment+":"+version)
	}
	if raw := s.Environment.Raw; raw != nil && len(raw.Source) > 0 {
		version := sourceVersion(raw.Source)
		if err := cl.source(ctx, raw.Source, version, progress); err != nil {
			return out, err
		}
		out.Resources = append(out.Resources, "code "+codeAsset+":"+version)
	}
	out.Data, err = json.Marshal(p)
	return out, err
}

// newest is the ID of the newest version of the environment that the step names
// without one, else "".
func (cl *client) newest(ctx context.Context, s *pluginsdk.Step) (string, error) {
	var set Settings
	if err := s.DecodeSettings(&set); err != nil {
		return "", err
	}
	name, version, full := environmentParts(set.EnvironmentName)
	if s.Environment.Image != nil || name == "" || version != "" || full != "" {
		return "", nil
	}
	c := cl.config
	got, err := cl.containers.Get(ctx, c.ResourceGroup, c.WorkspaceName, name, nil)
	if gone(err) {
		return "", pluginsdk.Config("settings.environment_name", "the workspace %s has no environment %s", c.WorkspaceName, name)
	}
	if err != nil {
		return "", cl.ask(err)
	}
	if got.Properties == nil || text(got.Properties.LatestVersion) == "" {
		return "", pluginsdk.Config("settings.environment_name", "the environment %s has no version that is called its newest: write %s:VERSION", name, name)
	}
	return c.workspace() + "/environments/" + name + "/versions/" + text(got.Properties.LatestVersion), nil
}

// imageEnvironment makes the environment's version of an image if it is missing.
// A version cannot be changed, and it is named by the reference.
func (cl *client) imageEnvironment(ctx context.Context, reference, version string) error {
	c := cl.config
	_, err := cl.environments.Get(ctx, c.ResourceGroup, c.WorkspaceName, imageEnvironment, version, nil)
	if err == nil || !gone(err) {
		return cl.ask(err)
	}
	_, err = cl.environments.CreateOrUpdate(ctx, c.ResourceGroup, c.WorkspaceName, imageEnvironment, version, ml.EnvironmentVersion{
		Properties: &ml.EnvironmentVersionProperties{
			Image: &reference, OSType: ptr(ml.OperatingSystemTypeLinux),
			Description: ptr("An image that stephost runs steps in."), Properties: map[string]*string{propOwner: ptr("1")},
		},
	}, nil)
	return cl.made(err, "", "the environment of the image")
}

// made gives the error of something that Prepare makes its meaning.
func (cl *client) made(err error, path, what string) error {
	const badRequest, conflict = 400, 409
	switch statusCode(err) {
	case badRequest, conflict:
		return pluginsdk.Config(path, "AzureML refuses %s: %w", what, err)
	}
	return cl.ask(err)
}
