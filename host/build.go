package host

import (
	"context"

	"github.com/stephost/stephost/host/environment"
	"github.com/stephost/stephost/host/launch"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/project"
)

// Build makes the image of a selected step and sends it to its registry: what a
// launch would do first, alone. progress gets short lines; it may be nil.
func (h *Host) Build(ctx context.Context, sel *Selection, progress func(string)) (*environment.Image, error) {
	if sel.Resolved.Environment.Kind != project.KindImage {
		return nil, &problem.Error{Summary: "there is no image to build: flavor " + sel.Manifest.Name + " runs this step in a work directory of its own",
			Operator: sel.Operator.Name, Next: "launch the step; its environment is prepared then"}
	}
	fl, err := h.launchable(ctx, sel)
	if err != nil {
		return nil, err
	}
	o := h.buildOptions(ctx, sel, fl)
	o.Progress = progress
	return launch.BuildImage(ctx, o)
}

func (h *Host) buildOptions(ctx context.Context, sel *Selection, fl *launch.Flavor) launch.BuildOptions {
	return launch.BuildOptions{Home: h.Home(), Processes: h.processManager(), Flavor: fl, Operator: sel.Operator.Name,
		Step: sel.Resolved, Resolver: h.Resolver(ctx), Log: h.o.Log.Named("environment")}
}
