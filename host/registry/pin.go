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

// pinError makes the text: what changed, from what to what, and what restores it or
// accepts the change.
func pinError(f *Flavor, path, what, want, got string, cause error) *PinError {
	e := &PinError{Flavor: f.Name, Version: f.Version, Path: path, What: what, Want: want, Got: got}
	e.problem = &problem.Error{
		Flavor:  f.Ref(),
		Summary: path + " is not what was pinned: " + what,
		Err:     cause,
	}
	from := shellQuote(f.From)
	switch a := f.Artifact; {
	case path == f.From:
		e.problem.Next = "find out who changed it; to accept it, run: stephost flavor register --replace " + from
	case a != nil && a.Interpreter != nil && path == a.Interpreter.Path:
		e.problem.Next = "install the one that was pinned; or accept what is found now: stephost flavor register --replace " + from
	default:
		// The store's copy. Registering looks at the original, never at this.
		e.problem.Next = "find out who changed it; to restore what was pinned, run: stephost flavor register " + from +
			" (if that file changed too, --replace accepts it)"
	}
	if want != "" && got != "" {
		e.problem.Detail = fmt.Sprintf("Pinned was sha256:%s, found was sha256:%s. It was not started.", want, got)
	}
	return e
}

// openToOthers is the error about a pinned file whose mode lets others change it.
func openToOthers(f *Flavor, path string, cause error) *PinError {
	e := pinError(f, path, "others may change it now", "", "", cause)
	e.problem.Next = "find out who changed its mode; then run: chmod go-w " + shellQuote(path)
	return e
}

var _ error = (*PinError)(nil)
