package host

import (
	"context"

	"github.com/stephost/stephost/host/launch"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/schema"
)

// Join finds a run by operator and token, also one that another machine
// launched: then the backend is asked, and a record is made from what it holds.
func (h *Host) Join(ctx context.Context, p *project.Project, operator, token string) (*runs.Run, error) {
	store, err := h.Runs(ctx)
	if err != nil {
		return nil, err
	}
	if r, err := store.ByToken(ctx, token); err == nil {
		return r, nil
	}
	sel, err := h.SelectOperator(ctx, p, operator, schema.StageLaunch)
	if err != nil {
		return nil, err
	}
	fl, err := h.launchable(ctx, &sel.Selection)
	if err != nil {
		return nil, err
	}
	o := launch.LookupOptions{Processes: h.processManager(), Flavor: fl, Operator: sel.Operator.Name, Project: sel.Project, Config: sel.Config.Config,
		SecretConfig: sel.Config.SecretConfig, Resolver: h.Resolver(ctx), Token: token}
	found, err := launch.Lookup(ctx, o)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, &problem.Error{Summary: "neither this machine nor the backend knows a run with this token", Operator: operator,
			Next: "check the token; `stephost run list` shows what this machine knows"}
	}
	sup, err := h.Supervisor(ctx)
	if err != nil {
		return nil, err
	}
	return sup.Join(ctx, o)
}
