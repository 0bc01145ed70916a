//go:build !front

package cli

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/stephost/stephost/host/registry"
	"github.com/stephost/stephost/host/runs"
)

func (a *app) flavorDelete() *cobra.Command {
	return a.deletes("flavor", cobra.Command{Use: flavorDeleteUse, Short: flavorDeleteShort,
		Long: "Forgets a version of a flavor and removes its pinned implementation. Refused while an operator or a run needs it.",
		Args: arguments(1, "a flavor"),
	}, func(ctx context.Context, r *registry.Registry, name string, inUse func(runs.Filter) bool) error {
		return r.DeleteFlavor(ctx, name, func(name, version string) bool { return inUse(runs.Filter{Flavor: name, FlavorVersion: version}) })
	})
}

func (a *app) operatorDelete() *cobra.Command {
	return a.deletes("operator", cobra.Command{Use: operatorDeleteUse, Short: operatorDeleteShort,
		Long: "Deletes a stored operator. Refused while a run needs it.",
		Args: arguments(1, "the NAME of an operator"),
	}, func(ctx context.Context, r *registry.Registry, name string, inUse func(runs.Filter) bool) error {
		return r.DeleteOperator(ctx, name, func(name string) bool { return inUse(runs.Filter{Operator: name}) })
	})
}

// deletes makes a command that deletes a noun by its name, unless a run needs it. Where
// nobody can say whether one does, nothing is deleted.
func (a *app) deletes(noun string, c cobra.Command,
	del func(ctx context.Context, r *registry.Registry, name string, inUse func(runs.Filter) bool) error) *cobra.Command {
	c.Aliases = []string{deleteAlias}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		h, err := a.host()
		if err != nil {
			return err
		}
		var asked error
		err = del(cmd.Context(), h.Registry(), args[0], func(f runs.Filter) bool {
			used, err := a.inUse(cmd.Context(), f)
			asked = err
			return used || err != nil
		})
		if asked != nil {
			return asked
		}
		if err != nil {
			return err
		}
		return a.done("%s %s deleted", noun, args[0])
	}
	return command(c.Use, c.Short, c)
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
