package main

import (
	"strings"

	"github.com/stephost/stephost/pluginsdk"
)

// Names of what stephost makes in a workspace. Versions are digests of the
// content: two launches of the same content make the same thing.
const (
	imageEnvironment = "stephost-image"
	codeAsset        = "stephost-source"
)

// environment sets what the job runs in: an environment version that holds the
// image's reference, or the one that is named, with the source as a code asset.
func (b *built) environment(c Config, s *pluginsdk.Step, p prepared) error {
	set := b.settings
	if image := s.Environment.Image; image != nil {
		if set.EnvironmentName != "" {
			b.warnings = append(b.warnings, pluginsdk.Warn("settings.environment_name", "not used for this step: it runs in an image (environment.image, base_image or dockerfile)"))
		}
		reference := image.Reference
		if reference == "" {
			b.job.EnvironmentID = ptr(pluginsdk.KnownAtLaunch("the environment of the built image"))
			return nil
		}
		b.job.EnvironmentID = ptr(c.workspace() + "/environments/" + imageEnvironment + "/versions/" + imageVersion(reference))
		b.note("image %s -> environment %s, version %s", reference, imageEnvironment, imageVersion(reference))
		return nil
	}
	raw := s.Environment.Raw
	switch {
	case set.EnvironmentName == "" && raw == nil:
		b.job.EnvironmentID = ptr(pluginsdk.KnownAtLaunch("the environment of the built image"))
		return nil
	case set.EnvironmentName == "":
		return pluginsdk.Config("settings.environment_name", "nothing says what the step runs in: give environment_name, or base_image (or image) in the step's environment {}")
	case raw != nil && len(raw.Requirements) > 0:
		return pluginsdk.Config("environment.requirements", "requirements cannot be installed into an environment that exists (%s): leave them out, or write base_image, and stephost builds an image with them", set.EnvironmentName)
	}
	id := p.Environment
	if id == "" {
		name, version, full := environmentParts(set.EnvironmentName)
		switch {
		case full != "":
			id = full
		case version != "":
			id = c.workspace() + "/environments/" + name + "/versions/" + version
		default:
			id = pluginsdk.KnownAtLaunch("the newest version of the environment " + name)
		}
	}
	b.job.EnvironmentID = &id
	if raw != nil && len(raw.Source) > 0 {
		version := sourceVersion(raw.Source)
		b.job.CodeID = ptr(c.workspace() + "/codes/" + codeAsset + "/versions/" + version)
		b.note("source -> code asset %s, version %s", codeAsset, version)
	}
	return nil
}

// imageVersion is the version for an image's reference.
func imageVersion(reference string) string { return hashed(reference) }

// sourceVersion is the version for a step's source.
func sourceVersion(source []pluginsdk.SourceRoot) string {
	var parts strings.Builder
	for _, r := range source {
		parts.WriteString(r.Target + "\x00" + r.Digest + "\x00")
	}
	return hashed(parts.String())
}

// environmentParts takes environment_name apart: a name with or without a
// version, or a full ID.
func environmentParts(given string) (name, version, full string) {
	if strings.Contains(given, "/") {
		return "", "", given
	}
	given = strings.TrimSuffix(strings.TrimPrefix(given, "azureml:"), "@latest")
	name, version, _ = strings.Cut(given, ":")
	return name, version, ""
}
