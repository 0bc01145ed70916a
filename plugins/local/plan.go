package main

import (
	"context"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached"
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
	job, err := detached.PlannedJob(state, s.Key)
	if err != nil {
		return pluginsdk.Plan{}, err
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
	return detached.PlanOf(show, b.notes)
}
