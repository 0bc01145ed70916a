package problem

import "errors"

// Exit is the exit code of a command that failed for a reason of stephost's or of
// its input, as docker and env have it.
const Exit = 125

// Of is the error as a person should see it: with what to do next where that is
// known.
func Of(err error) *Error {
	var with interface{ Problem() *Error }
	if errors.As(err, &with) {
		return with.Problem()
	}
	var p *Error
	if errors.As(err, &p) {
		return p
	}
	return &Error{Summary: err.Error()}
}
