package pluginsdk

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Sentinels of single calls.
var (
	// ErrAlreadyOver: Cancel found nothing to end.
	ErrAlreadyOver = errors.New("the job is already over")
	// ErrNotOurs: RegistryAuth was asked about a registry of another cloud.
	ErrNotOurs = errors.New("the registry is not of this cloud")
	// ErrAskSingly: StatusBatch cannot tell; ask Status for this job.
	ErrAskSingly = errors.New("ask for this job alone")
)

// Ask says why the backend gave no answer.
type Ask int32

// The reasons of the contract; 0 = the error is not of this kind.
const (
	AskUnreachable Ask = iota + 1
	AskThrottled
	AskAuth
	AskWrongScope
)

// Error is an error with its meaning for the contract. Make it with the
// functions below.
type Error struct {
	// Class decides about retries; 0 = system.
	Class Class
	// Ask is set when the backend could not be asked.
	Ask Ask
	// RetryAfter goes with Ask; 0 = the SDK's own backoff.
	RetryAfter time.Duration
	// Rejected: the backend certainly holds nothing for the key.
	Rejected bool
	// Warning: it went on, but a person should know.
	Warning bool
	// Note: nothing is wrong, it is a fact for who asks.
	Note bool
	// Attribute is the path of the attribute that it is about.
	Attribute []string
	// ExitCode of the step's process; nil = unknown.
	ExitCode *int
	// Summary is one line; "" = the text of Err.
	Summary string
	Err     error
}

// Error returns the summary and the cause.
func (e *Error) Error() string {
	switch {
	case e.Summary == "" && e.Err == nil:
		return "unspecified error"
	case e.Err == nil:
		return e.Summary
	case e.Summary == "":
		return e.Err.Error()
	}
	return e.Summary + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// User says that the step's own process ended with this code, 0 to 255. Any other
// is none of a process: it stands in the message, and stephost exits with 1.
func User(code int) error {
	return &Error{Class: ClassUser, ExitCode: &code, Summary: fmt.Sprintf("the step exited with code %d", code)}
}

// Capacity says that the backend has no room just now.
func Capacity(err error) error { return &Error{Class: ClassCapacity, Err: err} }

// Preempted says that the backend took the machine away.
func Preempted(err error) error { return &Error{Class: ClassPreempted, Err: err} }

// System says that the backend failed.
func System(err error) error { return &Error{Class: ClassSystem, Err: err} }

// Timeout says that a limit of time of the backend ended the job.
func Timeout(err error) error { return &Error{Class: ClassTimeout, Err: err} }

// Config says that what a person wrote cannot work here. path names the
// attribute, for example "config.role" or "settings.tolerations.0.key"; "" when
// it is about none.
func Config(path, format string, args ...any) error {
	return &Error{Class: ClassConfig, Attribute: splitPath(path), Err: fmt.Errorf(format, args...)}
}

// Warn is a finding for Validate and Preflight that stops nothing.
func Warn(path, format string, args ...any) error {
	return &Error{Warning: true, Attribute: splitPath(path), Summary: fmt.Sprintf(format, args...)}
}

// Note is a finding for Preflight that is nothing wrong: a fact that doctor shows.
func Note(path, format string, args ...any) error {
	return &Error{Note: true, Attribute: splitPath(path), Summary: fmt.Sprintf(format, args...)}
}

// Auth says that credentials are missing, wrong, expired or not permitted.
func Auth(err error) error { return &Error{Class: ClassAuth, Ask: AskAuth, Err: err} }

// Unreachable says that there was no connection, a timeout or a 5xx.
func Unreachable(err error) error { return &Error{Class: ClassSystem, Ask: AskUnreachable, Err: err} }

// Throttled says that the backend wants fewer calls. after = 0 leaves the pace
// to the SDK.
func Throttled(err error, after time.Duration) error {
	return &Error{Class: ClassSystem, Ask: AskThrottled, RetryAfter: after, Err: err}
}

// WrongScope says that these credentials lead to another place.
func WrongScope(want, live Scope) error {
	return &Error{Class: ClassAuth, Ask: AskWrongScope, Summary: fmt.Sprintf(
		"the run belongs to %s, but this config and these credentials lead to %s", scopeText(want), scopeText(live))}
}

// Rejected says, in Submit, that the backend certainly holds nothing for the
// key. The class of err decides about a retry of the attempt; with an error that
// only says that nobody could be asked (Throttled, Auth, Unreachable before
// anything was sent) the host sends the same request again.
func Rejected(err error) error {
	r := &Error{Rejected: true, Class: ClassSystem, Err: err}
	if e := find(err); e != nil {
		r.Class, r.Attribute = e.Class, e.Attribute
	}
	return r
}

// find returns the outermost *Error of err, or nil.
func find(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// classOf returns the class that err carries. Unknown is system.
func classOf(err error) Class {
	if e := find(err); e != nil && e.Class != 0 {
		return e.Class
	}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit != nil:
		return ClassUser
	case errors.Is(err, context.Canceled):
		return ClassCancelled
	}
	return ClassSystem
}

// isRejected looks through the whole chain, because an author may wrap
// Rejected with more context.
func isRejected(err error) bool {
	for e := find(err); e != nil; e = find(e.Err) {
		if e.Rejected {
			return true
		}
	}
	return false
}

func splitPath(path string) []string {
	if path == "" {
		return nil
	}
	return strings.Split(path, ".")
}

func scopeText(s Scope) string {
	if s.Display != "" {
		return s.Display
	}
	if s.ID != "" {
		return s.ID
	}
	return "an unknown scope"
}
