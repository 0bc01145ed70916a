//go:build !front

package cli

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/stephost/stephost/host/runs"
)

func (a *app) flavorDelete() *cobra.Command {
	return command(flavorDeleteUse, flavorDeleteShort, cobra.Command{
		Aliases: []string{deleteAlias},
		Long:    "Forgets a version of a flavor and removes its pinned implementation. Refused while an operator or a run needs it.",
		Args:    arguments(1, "a flavor"),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := a.host()
			if err != nil {
				return err
			}
			var asked error
			err = h.Registry().DeleteFlavor(cmd.Context(), args[0], func(name, version string) bool {
				used, err := a.inUse(cmd.Context(), runs.Filter{Flavor: name, FlavorVersion: version})
				asked = err
				return used || err != nil
			})
			if asked != nil {
				return asked
			}
			if err != nil {
				return err
			}
			return a.done("flavor %s deleted", args[0])
		},
	})
}

func (a *app) operatorDelete() *cobra.Command {
	return command(operatorDeleteUse, operatorDeleteShort, cobra.Command{
		Aliases: []string{deleteAlias},
		Long:    "Deletes a stored operator. Refused while a run needs it.",
		Args:    arguments(1, "the NAME of an operator"),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := a.host()
			if err != nil {
				return err
			}
			var asked error
			err = h.Registry().DeleteOperator(cmd.Context(), args[0], func(name string) bool {
				used, err := a.inUse(cmd.Context(), runs.Filter{Operator: name})
				asked = err
				return used || err != nil
			})
			if asked != nil {
				return asked
			}
			if err != nil {
				return err
			}
			return a.done("operator %s deleted", args[0])
		},
	})
}

// inUse tells whether a run that has not ended is selected by f. The store is
// opened only where there is one.
func (a *app) inUse(ctx context.Context, f runs.Filter) (bool, error) {
	if !a.hasRuns() {
		return false, nil
	}
	store, err := a.h.Runs(ctx)
	if err != nil {
		return false, err
	}
	f.Unclosed, f.Limit = true, 1
	found, err := store.List(ctx, f)
	return len(found) > 0, err
}

// hasRuns tells whether there may be a store of runs.
func (a *app) hasRuns() bool {
	entries, err := os.ReadDir(a.h.Home().Runs())
	return !errors.Is(err, os.ErrNotExist) && (err != nil || len(entries) > 0)
}
