package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"

	"github.com/stephost/stephost/pluginsdk"
)

// planned is what a plan shows, in the order in which it is read.
type planned struct {
	Argv      []string          `json:"argv"`
	Directory string            `json:"directory"`
	Python    string            `json:"python,omitempty"`
	Env       map[string]string `json:"env"`
	Secrets   []string          `json:"secrets,omitempty"`
	Cores     int64             `json:"cores,omitempty"`
	Memory    int64             `json:"memory_bytes,omitempty"`
	GPUs      int               `json:"gpus,omitempty"`
	RunLimit  string            `json:"run_limit,omitempty"`
	Record    string            `json:"record"`
}

// Plan shows what Submit would start. Secrets are names only.
func (l *local) Plan(_ context.Context, c Config, s *pluginsdk.Step, _ bool) (pluginsdk.Plan, error) {
	state, err := l.state(c)
	if err != nil {
		return pluginsdk.Plan{}, err
	}
	job, err := state.Job(s.Key)
	if err != nil {
		// Before a launch there is no key: any will do for the shape of it.
		if job, err = state.Job(placeholderKey); err != nil {
			return pluginsdk.Plan{}, err
		}
		job.Key = pluginsdk.KnownAtLaunch("the key of the attempt")
		job.Dir = filepath.Join(state.Jobs(), job.Key)
	}
	b, err := l.build(c, state, job, s)
	if err != nil {
		return pluginsdk.Plan{}, err
	}
	show := planned{
		Argv: b.spec.Argv, Directory: b.spec.Dir, Python: b.python, Env: b.plain, Secrets: b.secret,
		Cores: b.spec.Cores, Memory: b.spec.Memory, GPUs: b.spec.GPUs, Record: job.Dir,
	}
	if b.spec.Limit > 0 {
		show.RunLimit = b.spec.Limit.String()
	}
	// Arguments are shown as they are: no escaping for web pages.
	var text strings.Builder
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(show); err != nil {
		return pluginsdk.Plan{}, err
	}
	return pluginsdk.Plan{Request: text.String(), Format: "json", Notes: b.notes}, nil
}

// placeholderKey has the form of a key and is never used for a job.
const placeholderKey = "aaaaaaaaaaaaaaaaaaaaaaaaaa"
