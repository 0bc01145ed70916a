//go:build !front

package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/runs"
)

func (a *app) runCommand() *cobra.Command {
	return a.group(runUse, runShort, cobra.Command{Long: runHelp},
		a.runListCommand(), a.runShowCommand(), a.runLogsCommand(), a.runAttachCommand(), a.runWaitCommand(), a.runCancelCommand(),
		a.runOutputsCommand(), a.runTraceCommand(), a.runRecoverCommand(), a.runResolveCommand(), a.runPruneCommand())
}

const runHelp = `See and steer runs.

A run is named by its ID, or the beginning of it that no other run has; or by
--token, with --operator where it matters.`

// runName says which run is meant.
type runName struct{ operator, token string }

func (n *runName) flags(c *cobra.Command) {
	c.Flags().StringVar(&n.operator, "operator", "", "operator of the run that --token names")
	c.Flags().StringVar(&n.token, "token", "", "run token, instead of the ID")
}

// oneRun makes a command about one run.
func (a *app) oneRun(use, short string, c cobra.Command, flags func(*cobra.Command), run func(ctx context.Context, r *runs.Run) error) *cobra.Command {
	var n runName
	c.Args = func(cmd *cobra.Command, args []string) error {
		switch {
		case n.token != "":
			return arguments(0)(cmd, args)
		case cmd.Flags().Changed("token"):
			return emptyToken("token")
		}
		return arguments(1, "the ID of a run, or --token")(cmd, args)
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := a.findRun(cmd.Context(), &n, args)
		if err != nil {
			return err
		}
		a.hintOwnerless(cmd.Context(), r.ID)
		return run(cmd.Context(), r)
	}
	made := command(use, short, c)
	n.flags(made)
	if flags != nil {
		flags(made)
	}
	return made
}

// findRun finds the run that arguments and flags name.
func (a *app) findRun(ctx context.Context, n *runName, args []string) (*runs.Run, error) {
	store, err := a.store(ctx)
	if err != nil {
		return nil, err
	}
	var r *runs.Run
	if n.token != "" {
		r, err = store.ByToken(ctx, n.token)
		var missing *runs.NotFoundError
		if errors.As(err, &missing) && n.operator != "" {
			return a.joinRun(ctx, n)
		}
	} else {
		r, err = store.Run(ctx, args[0])
	}
	if err != nil {
		return nil, noRun(err)
	}
	if n.operator != "" && r.Operator != n.operator {
		return nil, &problem.Error{Summary: fmt.Sprintf("run %s is not of operator %s", r.ID, n.operator), Run: r.ID,
			Next: "its operator is " + r.Operator}
	}
	return r, nil
}

// joinRun finds a run that is not in the store. Its operator may be the project's,
// and where its flavor keeps projects apart, that names the place to look first.
func (a *app) joinRun(ctx context.Context, n *runName) (*runs.Run, error) {
	p, diags, err := a.h.Project(ctx, a.project())
	if err != nil {
		return nil, err
	}
	a.streamWarnings(diags)
	return a.h.Join(ctx, p, n.operator, n.token)
}

// store opens the store of runs.
func (a *app) store(ctx context.Context) (*runs.Store, error) {
	h, err := a.host()
	if err != nil {
		return nil, err
	}
	return h.Runs(ctx)
}

// noRun says what to do about a run that cannot be found.
func noRun(err error) error {
	var (
		missing   *runs.NotFoundError
		ambiguous *runs.AmbiguousError
	)
	switch {
	case errors.As(err, &missing) && missing.Token != "":
		return &problem.Error{Summary: err.Error(), Next: "where its record is gone, the same `stephost launch --run-token` joins the job again; see what there is with `stephost run list`"}
	case errors.As(err, &missing):
		return &problem.Error{Summary: err.Error(), Next: "see what there is with `stephost run list`"}
	case errors.As(err, &ambiguous):
		return &problem.Error{Summary: err.Error(), Next: "write more of the ID"}
	default:
		return err
	}
}

// hintOwnerless says, in one line, that runs wait for somebody. It opens the
// store only where an owner died: that is a look into one directory.
func (a *app) hintOwnerless(ctx context.Context, except string) {
	if a.h == nil || a.json() {
		return
	}
	if n, err := runs.DeadOwners(a.h.Home().Owners()); err != nil || n == 0 {
		return
	}
	store, err := a.h.Runs(ctx)
	if err != nil {
		return
	}
	found, err := store.Ownerless(ctx)
	if err != nil {
		return
	}
	n, one := 0, ""
	for _, r := range found {
		if r.ID != except {
			n, one = n+1, r.ID
		}
	}
	switch {
	case n == 1:
		a.say("Note: run %s has lost the stephost that owned it; `stephost run recover %[1]s` goes on with it.", one)
	case n > 1:
		a.say("Note: %d runs have lost the stephost that owned them; `stephost run recover --all` goes on with them.", n)
	}
}
