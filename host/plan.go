package host

import (
	"context"
	"errors"

	"github.com/hashicorp/hcl/v2"

	"github.com/stephost/stephost/host/environment"
	"github.com/stephost/stephost/host/launch"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/project"
)

// Planned is what a launch would do.
type Planned struct {
	Selection *Selection
	// Request is the native request; fields that need the network read
	// "(known at launch: WHY)" unless the plan was made online.
	Request, Format string
	Notes           []string
	Warnings        []string
	// Scope is the place that would be asked; "" when it was not resolved.
	Scope string
	// Directory is what a directory environment would hold; nil for others.
	Directory *environment.DirectoryPlan
	// Image is what would be built or run for an image environment; nil for
	// others.
	Image *environment.ImagePlan
}

// Plan starts the plugin and asks what Submit would send. It sends nothing to
// the backend, and nothing is prepared.
func (h *Host) Plan(ctx context.Context, sel *Selection, online bool) (*Planned, error) {
	fl, err := h.launchable(ctx, sel)
	if err != nil {
		return nil, err
	}
	out := &Planned{Selection: sel}
	if sel.Resolved.Environment.Kind == project.KindDirectory {
		e := sel.Resolved.Environment
		req := environment.DirectoryRequest{CacheDir: h.Home().Cache(), Requirements: e.Requirements,
			RequirementsFile: e.RequirementsFile, Python: e.Python, AllowLarge: e.AllowLarge,
			NeverCopy: []string{h.Home().Root()}}
		for _, s := range e.Sources {
			req.Sources = append(req.Sources, environment.Source{Path: s.Path, Target: s.Target, Exclude: s.Exclude})
		}
		if out.Directory, err = environment.Describe(ctx, req); err != nil {
			return nil, err
		}
		out.Warnings = append(out.Warnings, out.Directory.Warnings...)
	}
	if sel.Resolved.Environment.Kind == project.KindImage {
		if out.Image, err = launch.DescribeImage(ctx, h.buildOptions(ctx, sel, fl), online); err != nil {
			return nil, err
		}
		out.Warnings = append(out.Warnings, out.Image.Warnings...)
	}
	p, err := launch.Plan(ctx, launch.PlanOptions{
		Home: h.Home(), Processes: h.processManager(), Flavor: fl, Operator: sel.Operator.Name, Step: sel.Resolved,
		Resolver: h.Resolver(ctx), Online: online})
	if err != nil {
		return nil, err
	}
	out.Request, out.Format, out.Notes, out.Scope = p.Request, p.Format, p.Notes, p.Scope
	out.Warnings = append(out.Warnings, p.Warnings...)
	return out, nil
}

// Check is one line of doctor.
type Check struct {
	// About is what was looked at: "home", "flavor local", "operator here".
	About string `json:"about"`
	// Level is "ok", "warning" or "error".
	Level  string `json:"level"`
	Text   string `json:"text"`
	Detail string `json:"detail,omitempty"`
	Next   string `json:"next,omitempty"`
}

// Levels of a Check.
const (
	CheckOK      = "ok"
	CheckWarning = "warning"
	CheckError   = "error"
)

// CheckFlavor asks an operator's plugin what would fail at launch: credentials,
// permissions, quota. It starts the plugin, which may make read-only calls.
func (h *Host) CheckFlavor(ctx context.Context, sel *OperatorSelection) ([]Check, error) {
	about := "operator " + sel.Operator.Name
	fl, err := h.launchable(ctx, &sel.Selection)
	if err != nil {
		return nil, err
	}
	answers, err := launch.Preflight(ctx, launch.PreflightOptions{
		Processes: h.processManager(), Flavor: fl, Operator: sel.Operator.Name, Project: sel.Project, Config: sel.Config.Config,
		SecretConfig: sel.Config.SecretConfig, Resolver: h.Resolver(ctx)})
	if err != nil {
		return nil, err
	}
	out := []Check{{About: about, Level: CheckOK, Text: "the plugin of " + sel.Flavor.Ref() + " starts and answers"}}
	for _, a := range answers {
		c := Check{About: about, Level: CheckOK, Text: a.Summary, Detail: a.Detail}
		switch {
		case a.Error:
			c.Level = CheckError
		case a.Warning:
			c.Level = CheckWarning
		}
		out = append(out, c)
	}
	return out, nil
}

// ErrorCheck turns an error into a line of doctor.
func ErrorCheck(about string, err error) Check {
	var diags hcl.Diagnostics
	if errors.As(err, &diags) && len(diags) > 0 {
		return Check{About: about, Level: CheckError, Text: diags[0].Summary, Detail: diags[0].Detail, Next: "see all with `stephost validate`"}
	}
	p := problem.Of(err)
	return Check{About: about, Level: CheckError, Text: p.Error(), Detail: p.Detail, Next: p.Next}
}
