package main

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/stephost/stephost/pluginsdk"
)

// Properties of a job. Nobody changes them: a PUT replaces tags, and its
// properties only where it makes the job.
const (
	propOwner   = "stephost" // "1"; lists are filtered by it
	propKey     = "stephost_key"
	propToken   = "stephost_token" // hash of the run token, which may be any string
	propDigest  = "stephost_digest"
	propAttempt = "stephost_attempt"
	propRun     = "stephost_run"
)

// namePrefix keeps the jobs of stephost apart from others in the studio.
const namePrefix = "stephost-"

// jobName is the job's name. Names match ^[a-zA-Z0-9][\w-]{0,254}$ and are unique
// in a workspace.
func jobName(key string) string { return namePrefix + key }

// hashed is a text as 40 characters of hex.
func hashed(text string) string {
	const size = 20
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:size])
}

// properties of a step's job.
func properties(s *pluginsdk.Step) map[string]*string {
	out := map[string]*string{}
	for name, value := range map[string]string{
		propOwner: "1", propKey: s.Key, propToken: hashed(s.Token), propDigest: s.RequestDigest,
		propAttempt: strconv.Itoa(s.Attempt), propRun: s.RunID,
	} {
		if value != "" {
			out[name] = &value
		}
	}
	return out
}

// tags are for people: where the step belongs, its labels, and the setting.
func tags(s *pluginsdk.Step, set Settings) (map[string]*string, error) {
	out := map[string]*string{}
	put := func(path, name, value string) error {
		if name == "" || len(name) > maxTagName || len(value) > maxTag {
			return pluginsdk.Config(path, "a tag of AzureML has a name of at most %d characters and a value of at most %d", maxTagName, maxTag)
		}
		out[name] = &value
		return nil
	}
	for name, value := range map[string]string{"stephost_project": s.Project, "stephost_pipeline": s.Pipeline, "stephost_pipeline_run": s.PipelineRun, "stephost_step": s.Name} {
		if value != "" {
			value = value[:min(len(value), maxTag)]
			out[name] = &value
		}
	}
	for name, value := range s.Labels {
		if err := put("labels."+name, name, value); err != nil {
			return nil, err
		}
	}
	for name, value := range set.Tags {
		if err := put("settings.tags."+name, name, value); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Limits of tags, those of Azure's resources
// (https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources).
const (
	maxTagName = 512
	maxTag     = 256
)

// displayName is what a person sees in the studio.
func displayName(s *pluginsdk.Step, set Settings) string {
	if set.DisplayName != "" {
		return set.DisplayName
	}
	const most = 255
	return s.Title(most)
}
