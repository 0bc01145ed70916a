package launch

import (
	"errors"
	"fmt"

	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/runs"
)

// UnknownError says that it cannot be told whether a job exists. Nothing is
// submitted again; the run stays and is asked about by every later command.
type UnknownError struct {
	Run    *runs.Run
	Reason string
	// LookFor says where a person can look: the native name, a label, a URL.
	LookFor string
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("run %s: it is unknown whether attempt %d was started: %s", e.Run.ID, len(e.Run.Attempts), e.Reason)
}

// Problem is the same with what to do next.
func (e *UnknownError) Problem() *problem.Error {
	return &problem.Error{
		Summary: "it is unknown whether the job was started", Run: e.Run.ID, Operator: e.Run.Operator,
		Flavor: e.Run.Pin.Flavor, Phase: "submit", Class: problem.Unknown, Err: e,
		Detail: e.Reason + ". " + e.LookFor,
		Next: fmt.Sprintf("ask again with `stephost run attach %[1]s`, or look yourself and end it with `stephost run resolve %[1]s --not-submitted`, `--handle H` or `--abandon`",
			e.Run.ID),
	}
}

// BlockedError says that a submission is due and a secret for it cannot be had
// here. Nothing is ever submitted without it.
type BlockedError struct {
	Run    *runs.Run
	Secret string
	Err    error
}

func (e *BlockedError) Error() string {
	return fmt.Sprintf("run %s is blocked: needs secret %s: %v", e.Run.ID, e.Secret, e.Err)
}

// Unwrap is the resolver's error.
func (e *BlockedError) Unwrap() error { return e.Err }

// Problem is the same with what to do next.
func (e *BlockedError) Problem() *problem.Error {
	return &problem.Error{
		Summary: "blocked: needs secret " + e.Secret, Run: e.Run.ID, Operator: e.Run.Operator, Flavor: e.Run.Pin.Flavor,
		Phase: "submit", Class: problem.Unknown, Err: e.Err,
		Next: fmt.Sprintf("run `stephost run attach %s` from a shell in which %s can be resolved", e.Run.ID, e.Secret),
	}
}

// UnconfirmedError says that a cancel was sent, or wanted, and the backend has
// not confirmed that the job is gone.
type UnconfirmedError struct {
	Run    *runs.Run
	Reason string
}

func (e *UnconfirmedError) Error() string {
	return fmt.Sprintf("run %s: cancel unconfirmed: %s", e.Run.ID, e.Reason)
}

// Problem is the same with what to do next.
func (e *UnconfirmedError) Problem() *problem.Error {
	return &problem.Error{
		Summary: "the backend has not confirmed the cancel", Detail: e.Reason, Run: e.Run.ID, Operator: e.Run.Operator,
		Flavor: e.Run.Pin.Flavor, Phase: "cancel", Class: problem.Cancelled,
		Next: fmt.Sprintf("finish it with `stephost run recover %s`; `stephost run cancel --force %[1]s` asks for a hard stop", e.Run.ID),
	}
}

// UnstoredError says that the wish to cancel could not be stored, and that the drive in
// this process obeys it all the same. It is lost with this process.
type UnstoredError struct {
	Run string
	Err error
}

func (e *UnstoredError) Error() string {
	return fmt.Sprintf("run %s is being cancelled, but that could not be stored: %v", e.Run, e.Err)
}

// Unwrap is the store's error.
func (e *UnstoredError) Unwrap() error { return e.Err }

// Problem is the same with what to do next.
func (e *UnstoredError) Problem() *problem.Error {
	return &problem.Error{Summary: "the run is being cancelled, but that could not be stored", Run: e.Run, Phase: "cancel", Err: e.Err,
		Next: "leave this process running until the job is gone; should it be killed, make room on the disk and write `stephost run cancel " + e.Run + "`"}
}

// DifferentDefinitionError says that a run token came again with another step.
type DifferentDefinitionError struct {
	Run  *runs.Run
	Diff string
}

func (e *DifferentDefinitionError) Error() string {
	return fmt.Sprintf("run token %q already names run %s of another definition", e.Run.Token, e.Run.ID)
}

// Problem is the same with what to do next.
func (e *DifferentDefinitionError) Problem() *problem.Error {
	return &problem.Error{
		Summary: "this run token already names another step", Run: e.Run.ID, Operator: e.Run.Operator,
		Class: problem.Config, Detail: "What differs (stored, then asked for now):\n" + e.Diff,
		Next: "use another --run-token for the changed step, or launch the step as it was",
	}
}

// rejection says why a run ends before anything was submitted.
type rejection struct {
	class   problem.Class
	phase   string
	reason  string
	message string
}

// LeftoversError says that a run is over and something of it could not be
// removed from the backend. The verdict stands.
type LeftoversError struct {
	Run *runs.Run
	Err error
}

func (e *LeftoversError) Error() string {
	return fmt.Sprintf("run %s is over, but its leftovers were not removed: %v", e.Run.ID, e.Err)
}

// Unwrap is the cause.
func (e *LeftoversError) Unwrap() error { return e.Err }

// Problem is the same with what to do next.
func (e *LeftoversError) Problem() *problem.Error {
	return &problem.Error{
		Summary: "leftovers could not be removed from the backend", Run: e.Run.ID, Operator: e.Run.Operator,
		Flavor: e.Run.Pin.Flavor, Phase: "cleanup", Class: problem.System, Err: e.Err,
		Next: fmt.Sprintf("try again later with `stephost run recover %s`; the verdict of the run stands", e.Run.ID),
	}
}

// LogError says that a run is over and its log could not be brought here as a whole,
// because the disk takes no more. The verdict stands.
type LogError struct {
	Run    *runs.Run
	Reason string
}

func (e *LogError) Error() string {
	return fmt.Sprintf("run %s is over, but its log is not complete here: %s", e.Run.ID, e.Reason)
}

// Problem is the same with what to do next.
func (e *LogError) Problem() *problem.Error {
	return &problem.Error{
		Summary: "the log of the run is not complete here", Run: e.Run.ID, Operator: e.Run.Operator,
		Flavor: e.Run.Pin.Flavor, Phase: "log", Class: problem.System, Detail: e.Reason,
		Next: fmt.Sprintf("make room on the disk, then fetch the rest with `stephost run recover %s`; the verdict of the run stands", e.Run.ID),
	}
}

// VerdictStands tells whether an error of Drive came behind the verdict of its run: it
// says what is left to do, not how the run ended.
func VerdictStands(err error) bool {
	var (
		leftovers *LeftoversError
		log       *LogError
	)
	return errors.As(err, &leftovers) || errors.As(err, &log)
}
