//go:build !front

package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/stephost/stephost/host/runs"
)

// offeredRuns is how many of the newest runs are offered.
const offeredRuns = 50

// completeRuns completes the names of runs.
func (a *app) completeRuns(root *cobra.Command) {
	for _, name := range []string{"show", "logs", "attach", "wait", "cancel", "outputs", "recover", "resolve"} {
		cmd, _, err := root.Find([]string{"run", name})
		if err != nil || cmd.ValidArgsFunction != nil {
			continue
		}
		cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, noFiles
			}
			return a.runIDs(cmd.Context()), noFiles
		}
	}
}

// runIDs are the newest runs; nothing is opened where there are none.
func (a *app) runIDs(ctx context.Context) []string {
	h, err := a.host()
	if err != nil || !a.hasRuns() {
		return nil
	}
	store, err := h.Runs(ctx)
	if err != nil {
		return nil
	}
	found, err := store.List(ctx, runs.Filter{Limit: offeredRuns})
	if err != nil {
		return nil
	}
	var out []string
	for _, r := range found {
		out = append(out, r.ID+"\t"+statusName(r.Step, r.Operator)+", "+string(r.State))
	}
	return out
}
