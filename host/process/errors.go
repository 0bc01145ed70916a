package process

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stephost/stephost/host/problem"
)

// Errors of Acquire and Plugin.Err that need no details.
var (
	// ErrClosed: the Manager is closed or closing.
	ErrClosed = errors.New("the plugin manager is closed")
	// ErrStopped: the host itself has stopped the plugin.
	ErrStopped = errors.New("the plugin was stopped by the host")
)

// Exit tells how a process ended.
type Exit struct {
	// Code is the exit status, -1 after a signal.
	Code int
	// Signal is the name ("SIGKILL"), empty after a normal exit.
	Signal string
}

func (e Exit) String() string {
	if e.Signal != "" {
		return "killed by " + e.Signal
	}
	return "exit status " + strconv.Itoa(e.Code)
}

// CrashError is a plugin process that ended without being asked to. It may be
// asked for as a *problem.Error with errors.As.
type CrashError struct {
	Flavor, Version string
	PID             int
	Exit            Exit
	// Uptime since the start of the process.
	Uptime time.Duration
	// Panic is the account of a Go panic on standard error, at most panicLimit
	// bytes; empty when there was none.
	Panic string
	// Stderr are the last lines of standard error, at most tailLines.
	Stderr []string
	// Err is the error of the call that met it, if any.
	Err error
}

// Error is one line.
func (e *CrashError) Error() string {
	text := fmt.Sprintf("flavor %s: the plugin ended unexpectedly (%s)", e.Flavor, e.Exit)
	if first := firstLine(e.Panic); first != "" {
		text += ": " + first
	} else if n := len(e.Stderr); n > 0 {
		text += ": " + e.Stderr[n-1]
	}
	return problem.Bound(text, problem.Limit)
}

// Unwrap is the error of the call that met the crash.
func (e *CrashError) Unwrap() error { return e.Err }

// GRPCStatus makes status.Code say Unavailable, whatever gRPC made of the call that met
// the crash: which of the connection's ends it saw first is chance.
func (e *CrashError) GRPCStatus() *status.Status { return status.New(codes.Unavailable, e.Error()) }

// As lets errors.As make a *problem.Error of it.
func (e *CrashError) As(target any) bool {
	return asProblem(target, func() *problem.Error {
		return &problem.Error{
			Flavor: e.Flavor, Class: problem.System, Err: e.Err,
			Summary: fmt.Sprintf("the plugin ended unexpectedly (%s)", e.Exit),
			Detail:  account(e.Panic, e.Stderr),
			Next:    "try again; if it happens again, report it with this text to the author of flavor " + e.Flavor,
		}
	})
}

// Stage is how far a start came.
type Stage string

// The stages of a start.
const (
	StageOpen      Stage = "opening the file"
	StageExec      Stage = "starting the process"
	StageHandshake Stage = "handshake"
	StageContact   Stage = "first contact"
)

// StartError is a plugin that did not come up. Its process, if there was one, is
// gone. It may be asked for as a *problem.Error.
type StartError struct {
	Flavor, Version string
	Stage           Stage
	// Exit is nil when the process had not ended by itself.
	Exit *Exit
	// Output is what was printed to standard output in place of the handshake.
	Output string
	Panic  string
	Stderr []string
	// Next is what a person can do.
	Next string
	// Err is the cause; context.DeadlineExceeded when the time was over.
	Err error
}

// Error is one line.
func (e *StartError) Error() string {
	text := fmt.Sprintf("flavor %s: the plugin did not start: %s", e.Flavor, e.cause())
	if first := firstLine(e.Panic); first != "" {
		text += ": " + first
	} else if n := len(e.Stderr); n > 0 {
		text += ": " + e.Stderr[n-1]
	}
	return problem.Bound(text, problem.Limit)
}

func (e *StartError) cause() string {
	if e.Exit != nil {
		return fmt.Sprintf("%s: it ended before it answered (%s)", e.Stage, e.Exit)
	}
	return fmt.Sprintf("%s: %v", e.Stage, e.Err)
}

// Unwrap is the cause.
func (e *StartError) Unwrap() error { return e.Err }

// As lets errors.As make a *problem.Error of it.
func (e *StartError) As(target any) bool {
	return asProblem(target, func() *problem.Error {
		detail := account(e.Panic, e.Stderr)
		if e.Output != "" {
			detail = "In place of the handshake it printed to standard output:\n" + e.Output + "\n" + detail
		}
		next := e.Next
		if next == "" {
			next = "check the file with: stephost flavor verify " + e.Flavor
		}
		return &problem.Error{
			Flavor: e.Flavor, Class: problem.System, Detail: strings.TrimSpace(detail), Next: next,
			Summary: "the plugin did not start: " + e.cause(),
		}
	})
}

// MismatchError is a plugin that is not what was registered. Its process is
// gone. It may be asked for as a *problem.Error.
type MismatchError struct {
	Flavor, Version string
	// What differs: "flavor", "version", "protocol" or "manifest digest".
	What      string
	Want, Got string
}

// Error is one line.
func (e *MismatchError) Error() string {
	return problem.Bound(fmt.Sprintf("flavor %s: %s", e.Flavor, e.summary()), problem.Limit)
}

func (e *MismatchError) summary() string {
	got := e.Got
	if got == "" {
		got = "none"
	}
	return fmt.Sprintf("the plugin's %s is %s, registered is %s", e.What, got, e.Want)
}

// As lets errors.As make a *problem.Error of it.
func (e *MismatchError) As(target any) bool {
	return asProblem(target, func() *problem.Error {
		p := &problem.Error{Flavor: e.Flavor, Class: problem.Config, Summary: e.summary()}
		switch e.What {
		case "protocol":
			p.Detail = "The plugin and this stephost speak different majors of the contract."
			p.Next = "install a stephost or a version of flavor " + e.Flavor + " of the same major"
		default:
			p.Detail = "The manifest that was registered does not belong to this file: one of them was changed or built without the other."
			p.Next = "build the flavor again and register it: stephost flavor register PATH"
		}
		return p
	})
}

// CallError is a call that failed while the plugin lives: a panic in its
// handler, a message over the limit, an unknown method. It may be asked for as a
// *problem.Error.
type CallError struct {
	Flavor string
	// Summary is one line.
	Summary string
	Detail  string
	Next    string
	// Err is the error of the call, with its gRPC status.
	Err error
}

// Error is one line.
func (e *CallError) Error() string {
	return problem.Bound("flavor "+e.Flavor+": "+e.Summary, problem.Limit)
}

// Unwrap is the error of the call.
func (e *CallError) Unwrap() error { return e.Err }

// As lets errors.As make a *problem.Error of it.
func (e *CallError) As(target any) bool {
	return asProblem(target, func() *problem.Error {
		return &problem.Error{Flavor: e.Flavor, Class: problem.System, Summary: e.Summary, Detail: e.Detail, Next: e.Next}
	})
}

func asProblem(target any, build func() *problem.Error) bool {
	p, ok := target.(**problem.Error)
	if ok {
		*p = build()
	}
	return ok
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return strings.TrimSpace(line)
}

// account is the panic if there was one, else the last lines.
func account(panicText string, stderr []string) string {
	switch {
	case panicText != "":
		return problem.Bound(panicText, problem.Limit/2)
	case len(stderr) > 0:
		return problem.Bound("Its last lines on standard error:\n"+strings.Join(stderr, "\n"), problem.Limit/2)
	}
	return ""
}

var (
	_ error = (*CrashError)(nil)
	_ error = (*StartError)(nil)
	_ error = (*MismatchError)(nil)
	_ error = (*CallError)(nil)
)
