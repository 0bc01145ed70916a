package host

import (
	"context"
	"os"
	"strings"

	"github.com/stephost/stephost/host/launch"
	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/schema"
)

// CheckImages asks the registries of an operator's steps what a launch would: is
// the base there, may images be pushed, does the base fit a GPU. Steps that share
// an image share the answer; an operator without steps is asked by its own
// defaults. No image is built.
func (h *Host) CheckImages(ctx context.Context, p *project.Project, op *OperatorSelection) []Check {
	var out []Check
	seen := map[string]bool{}
	for _, sel := range h.stepsOf(ctx, p, op) {
		e, r := sel.Resolved.Environment, sel.Resolved.Resources
		if e.Kind != project.KindImage {
			continue
		}
		what := e.Image + "|" + e.BaseImage + "|" + e.Dockerfile + "|" + e.RegistryPush + "|" + e.Platform
		if r.GPU > 0 { // what fits it depends on the packages
			what += "|gpu " + r.GPUType + "|" + e.RequirementsFile + "|" + strings.Join(e.Requirements, "\n")
		}
		if seen[what] {
			continue
		}
		seen[what] = true
		about := "operator " + op.Operator.Name
		if name := sel.Resolved.Name; name != "" {
			about = "step " + name
		}
		fl, err := h.launchable(ctx, sel)
		if err != nil {
			return append(out, ErrorCheck(about, err))
		}
		for _, f := range launch.CheckImage(ctx, h.buildOptions(ctx, sel, fl)) {
			switch {
			case f.Err != nil:
				out = append(out, ErrorCheck(about, f.Err))
			case f.Warning:
				out = append(out, Check{About: about, Level: CheckWarning, Text: f.Text})
			default:
				out = append(out, Check{About: about, Level: CheckOK, Text: f.Text})
			}
		}
	}
	return out
}

// stepsOf are the project's steps of an operator, or one that has nothing but the
// operator's defaults. What cannot be resolved is the matter of `validate`.
func (h *Host) stepsOf(ctx context.Context, p *project.Project, op *OperatorSelection) []*Selection {
	var out []*Selection
	if p != nil {
		for _, name := range p.StepOrder {
			sel, err := h.Select(ctx, StepRequest{Project: p, Step: name, Stage: schema.StageLaunch})
			if err == nil && sel.Operator.Name == op.Operator.Name {
				out = append(out, sel)
			}
		}
	}
	dir, err := os.Getwd()
	if len(out) > 0 || err != nil {
		return out
	}
	inline := project.NewInline(h.Sources(), dir)
	if inline.Command([]string{"true"}).HasErrors() {
		return nil
	}
	sel, err := h.Select(ctx, StepRequest{Project: p, Inline: inline.Step(), Operator: op.Operator.Name, Stage: schema.StageLaunch})
	if err != nil {
		return nil
	}
	return []*Selection{sel}
}
