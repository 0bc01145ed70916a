package main

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/stephost/stephost/pluginsdk"
)

// placeholderKey has the form of a key and is never used for a job.
const placeholderKey = "aaaaaaaaaaaaaaaaaaaaaaaaaa"

// planned is what a plan shows, in the order in which it is read.
type planned struct {
	Sbatch  []string          `json:"sbatch"`
	Work    string            `json:"work_directory"`
	Argv    []string          `json:"argv"`
	Env     map[string]string `json:"env"`
	Secrets []string          `json:"secrets,omitempty"`
	Script  string            `json:"script"`
}

// Plan shows what Submit would start. Secrets are names only.
func (slurm) Plan(_ context.Context, c Config, s *pluginsdk.Step, _ bool) (pluginsdk.Plan, error) {
	key := s.Key
	if key == "" {
		key = placeholderKey // before a launch there is none
	}
	r, err := recordOf(c, key)
	if err != nil {
		return pluginsdk.Plan{}, err
	}
	q, err := build(c, r, s)
	if err != nil {
		return pluginsdk.Plan{}, err
	}
	var text strings.Builder
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err = e.Encode(planned{
		Sbatch: append([]string{"sbatch"}, q.options...), Work: q.work, Argv: q.argv, Env: q.env,
		Secrets: slices.Sorted(maps.Keys(s.Secrets)), Script: "batch.sh WORK_DIRECTORY ARGV...",
	})
	out := text.String()
	if s.Key == "" {
		out = strings.ReplaceAll(out, placeholderKey, pluginsdk.KnownAtLaunch("the key of the attempt"))
	}
	return pluginsdk.Plan{Request: out, Format: "json", Notes: q.notes}, err
}
