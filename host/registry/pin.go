package registry

import (
	"fmt"

	"github.com/stephost/stephost/host/problem"
)

// PinError says that an implementation is not what was pinned. It is never
// started then. errors.As also finds the *problem.Error inside, with the same
// text and what to do.
type PinError struct {
	// Flavor and Version name the record.
	Flavor, Version string
	// Path is the file, directory, interpreter or manifest that changed.
	Path string
	// What says what changed, as a person would: "content", "missing".
	What string
	// Want and Got are SHA-256 in hex where there are any.
	Want, Got string

	problem *problem.Error
}

// Error is the problem's text.
func (e *PinError) Error() string { return e.problem.Error() }

// Unwrap is the *problem.Error.
func (e *PinError) Unwrap() error { return e.problem }

// pinError makes the text: what changed, from what to what, and the command
// that accepts the change.
func pinError(f *Flavor, path, what, want, got string, cause error) *PinError {
	e := &PinError{Flavor: f.Name, Version: f.Version, Path: path, What: what, Want: want, Got: got}
	e.problem = &problem.Error{
		Flavor:  f.Ref(),
		Summary: path + " is not what was pinned: " + what,
		Err:     cause,
		Next:    "find out who changed it; to accept it, run: stephost flavor register --replace " + shellQuote(f.From),
	}
	if want != "" && got != "" {
		e.problem.Detail = fmt.Sprintf("Pinned was sha256:%s, found was sha256:%s. It was not started.", want, got)
	}
	return e
}

var _ error = (*PinError)(nil)
