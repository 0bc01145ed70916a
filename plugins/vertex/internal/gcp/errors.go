package gcp

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
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
	if errors.As(err, &already) {
		return err
	}
	var no *CredentialsError
	if errors.As(err, &no) {
		return credentialsAsk(no)
	}
	var refused *HTTPError
	if errors.As(err, &refused) {
		switch {
		case refused.Code == http.StatusUnauthorized || refused.Code == http.StatusForbidden && !rateReason(refused.Reason):
			return pluginsdk.Auth(err)
		case refused.Code == http.StatusTooManyRequests || refused.Code == http.StatusForbidden:
			return pluginsdk.Throttled(err, 0)
		}
		return pluginsdk.Unreachable(err)
	}
	switch s, _ := status.FromError(err); s.Code() {
	case codes.Unauthenticated, codes.PermissionDenied:
		return pluginsdk.Auth(message(s, err))
	case codes.ResourceExhausted:
		return pluginsdk.Throttled(message(s, err), retryDelay(s))
	case codes.Unknown:
		return pluginsdk.Unreachable(err)
	default:
		return pluginsdk.Unreachable(message(s, err))
	}
}

func rateReason(reason string) bool { return strings.Contains(strings.ToLower(reason), "ratelimit") }

// credentialsAsk tells a login that is refused from one that could not be asked
// for.
func credentialsAsk(err *CredentialsError) error {
	var refused *oauth2.RetrieveError
	var network net.Error
	switch {
	case errors.As(err, &refused):
		if refused.Response != nil && refused.Response.StatusCode >= http.StatusInternalServerError {
			return pluginsdk.Unreachable(err)
		}
		return pluginsdk.Auth(err)
	case errors.As(err, &network), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return pluginsdk.Unreachable(err)
	}
	return pluginsdk.Auth(err)
}

// Refused tells whether an error of a creating call says for certain that
// nothing was created, and what it means. A transport error, a timeout, a 5xx
// and every code that is not listed here leave it open.
func Refused(err error) (error, bool) {
	var no *CredentialsError
	var connect *ConnectError
	switch {
	case errors.As(err, &no):
		return credentialsAsk(no), true
	case errors.As(err, &connect):
		return pluginsdk.Unreachable(err), true
	}
	s, ok := status.FromError(err)
	if !ok {
		return err, false
	}
	switch s.Code() {
	case codes.InvalidArgument, codes.NotFound, codes.FailedPrecondition, codes.OutOfRange, codes.Unimplemented:
		return pluginsdk.Config("", "Vertex AI refuses the job: %w", message(s, err)), true
	case codes.PermissionDenied, codes.Unauthenticated:
		return pluginsdk.Auth(message(s, err)), true
	case codes.ResourceExhausted:
		if Throttle(s) {
			return pluginsdk.Throttled(message(s, err), retryDelay(s)), true
		}
		return pluginsdk.Capacity(message(s, err)), true
	}
	return message(s, err), false
}

// Throttle tells a limit of calls from a quota of machines, which has the same
// code.
func Throttle(s *status.Status) bool {
	for _, d := range s.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			if d.GetReason() == "RATE_LIMIT_EXCEEDED" {
				return true
			}
		case *errdetails.RetryInfo:
			return true
		}
	}
	return strings.Contains(s.Message(), "requests per minute") || strings.Contains(s.Message(), "per minute per")
}

func retryDelay(s *status.Status) time.Duration {
	for _, d := range s.Details() {
		if d, ok := d.(*errdetails.RetryInfo); ok {
			return d.GetRetryDelay().AsDuration()
		}
	}
	return 0
}

// IsNotFound tells whether a read says that the thing is not there.
func IsNotFound(err error) bool { return status.Code(err) == codes.NotFound }

// Unauthenticated tells whether the service did not take the token.
func Unauthenticated(err error) bool {
	return status.Code(err) == codes.Unauthenticated || IsHTTP(err, http.StatusUnauthorized)
}

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
