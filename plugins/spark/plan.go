package main

import (
	"context"

	"github.com/stephost/stephost/plugins/spark/internal/standalone"
	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached"
)

// planned is what a plan shows, in the order in which it is read.
type planned struct {
	Argv      []string            `json:"argv,omitempty"`
	Create    string              `json:"create,omitempty"`
	Request   *standalone.Request `json:"request,omitempty"`
	Command   []string            `json:"command,omitempty"`
	Directory string              `json:"directory,omitempty"`
	Env       map[string]string   `json:"env,omitempty"`
	Secrets   []string            `json:"secrets,omitempty"`
	RunLimit  string              `json:"run_limit,omitempty"`
	Record    string              `json:"record"`
}

// Plan shows what Submit would start, or send. Secrets are names only.
func (f *spark) Plan(_ context.Context, c Config, s *pluginsdk.Step, _ bool) (pluginsdk.Plan, error) {
	if c.onKubernetes() {
		return f.kube.PlanOf(c.job(), s, c.make())
	}
	state, err := f.state(c)
	if err != nil {
		return pluginsdk.Plan{}, err
	}
	job, err := detached.PlannedJob(state, s.Key)
	if err != nil {
		return pluginsdk.Plan{}, err
	}
	b, err := f.build(c, job, s)
	if err != nil {
		return pluginsdk.Plan{}, err
	}
	show := planned{Argv: b.argv, Directory: b.dir, Env: b.plain, Secrets: b.secret, Record: job.Dir}
	if b.request != nil {
		show = planned{Create: c.rest() + "/v1/submissions/create", Request: b.request, Secrets: b.secret, Record: job.Dir}
	}
	if b.app.jar == "" {
		show.Command = b.app.argv // in argv it is encoded
	}
	if s.Deadlines.Run > 0 && b.request == nil {
		show.RunLimit = s.Deadlines.Run.String()
	}
	return detached.PlanOf(show, b.notes)
}
