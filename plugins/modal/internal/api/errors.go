package api

import (
	"errors"
	"strings"
	"time"

	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stephost/stephost/pluginsdk"
)

// Ask gives an error of a read its meaning: every one is "could not ask".
func Ask(err error) error {
	if err == nil {
		return nil
	}
	var already *pluginsdk.Error
	var login *LoginError
	switch {
	case errors.As(err, &already):
		return err
	case errors.As(err, &login), strings.Contains(err.Error(), "missing credentials"):
		return pluginsdk.Auth(err)
	}
	s, _ := status.FromError(err)
	if after, throttled := throttle(s); throttled {
		return pluginsdk.Throttled(message(s, err), after)
	}
	switch s.Code() {
	case codes.Unauthenticated, codes.PermissionDenied:
		return pluginsdk.Auth(message(s, err))
	case codes.ResourceExhausted:
		return pluginsdk.Throttled(message(s, err), 0)
	case codes.Unknown:
		return pluginsdk.Unreachable(err)
	}
	return pluginsdk.Unreachable(message(s, err))
}

// Refused tells whether an error of a creating call that was sent says for
// certain that nothing was created, and what it means. A transport error, a
// timeout, an internal error and every code that is not listed here leave it
// open.
func Refused(err error) (error, bool) {
	var connect *ConnectError
	if errors.As(err, &connect) {
		return pluginsdk.Unreachable(err), true
	}
	s, ok := status.FromError(err)
	if !ok {
		return err, false
	}
	if after, throttled := throttle(s); throttled {
		return pluginsdk.Throttled(message(s, err), after), true
	}
	switch s.Code() {
	case codes.InvalidArgument, codes.NotFound, codes.FailedPrecondition, codes.OutOfRange, codes.Unimplemented:
		return pluginsdk.Config("", "Modal refuses the sandbox: %w", message(s, err)), true
	case codes.PermissionDenied, codes.Unauthenticated:
		return pluginsdk.Auth(message(s, err)), true
	case codes.ResourceExhausted:
		// No machine, or a limit of the workspace (the SDK's release notes of 0.11.0).
		return pluginsdk.Capacity(message(s, err)), true
	}
	return message(s, err), false
}

// throttle reads how Modal asks for fewer calls: a policy in the details of a
// status of any code (the SDK's retries).
func throttle(s *status.Status) (after time.Duration, throttled bool) {
	for _, d := range s.Details() {
		if policy, ok := d.(*pb.RPCRetryPolicy); ok {
			return time.Duration(float64(policy.GetRetryAfterSecs()) * float64(time.Second)), true
		}
	}
	return 0, false
}

// IsNotFound tells whether a read says that the thing is not there.
func IsNotFound(err error) bool { return status.Code(err) == codes.NotFound }

// IsTaken tells whether a name is in use.
func IsTaken(err error) bool { return status.Code(err) == codes.AlreadyExists }

// Unauthenticated tells whether the service did not take the login.
func Unauthenticated(err error) bool { return status.Code(err) == codes.Unauthenticated }

// spoken is a status in its own words; the chain to the original stays.
type spoken struct {
	text string
	err  error
}

func (e *spoken) Error() string { return e.text }
func (e *spoken) Unwrap() error { return e.err }

func message(s *status.Status, err error) error {
	return &spoken{s.Message() + " (" + s.Code().String() + ")", err}
}
