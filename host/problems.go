package host

import (
	"context"
	"errors"

	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/runs"
)

// storeProblem says what to do about a store that cannot be opened.
func storeProblem(err error) error {
	var (
		network *runs.NetworkStoreError
		newer   *runs.NewerSchemaError
		damaged *runs.DamagedError
		busy    *runs.BusyError
		disk    *runs.DiskError
	)
	p := &problem.Error{Summary: "the store of runs cannot be opened", Err: err,
		Next: "check that you may write to stephost's home, or set " + home.EnvVar}
	switch {
	case errors.As(err, &network):
		p.Next = "set " + home.EnvVar + " to a local directory; --unsafe-store opens it all the same"
	case errors.As(err, &newer):
		p.Next = "use the newer stephost, or set " + home.EnvVar + " to another directory"
	case errors.As(err, &damaged):
		p.Next = "move the file aside; launches with a --run-token find their jobs again at the backend"
	case errors.As(err, &busy):
		p.Next = "try again; another stephost holds it"
	case errors.As(err, &disk):
		p.Next = "make room on its disk and try again"
	}
	return p
}

// ownerProblem says what to do where this process cannot say that it lives.
func ownerProblem(dir string, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return &problem.Error{Summary: "this process cannot own runs", Err: err,
		Next: "make room in " + dir + ", or give the rights, and try again"}
}

// runProblem says what to do about a run that cannot be had.
func runProblem(err error) error {
	var (
		missing   *runs.NotFoundError
		ambiguous *runs.AmbiguousError
	)
	switch {
	case errors.As(err, &missing):
		return &problem.Error{Summary: err.Error(), Err: nil, Next: "see what there is with `stephost run list`"}
	case errors.As(err, &ambiguous):
		return &problem.Error{Summary: err.Error(), Next: "write more of the ID"}
	default:
		return err
	}
}
