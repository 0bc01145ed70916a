package main

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/stephost/stephost/pluginsdk"
)

// codeOf is the service's own word for an error, or "".
func codeOf(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return ""
}

// expired and denied are the codes of credentials
// (https://docs.aws.amazon.com/sagemaker/latest/APIReference/CommonErrors.html
// and those of STS and S3).
func expired(code string) bool {
	return slices.Contains([]string{"ExpiredToken", "ExpiredTokenException", "RequestExpired", "UnrecognizedClientException",
		"InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch", "MissingAuthenticationToken", "MissingAuthenticationTokenException",
		"IncompleteSignature", "InvalidAccessKeyId", "AuthFailure", "NotAuthorized"}, code)
}

func denied(code string) bool {
	return slices.Contains([]string{"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "OptInRequired"}, code)
}

func throttled(err error) bool {
	return retry.IsErrorThrottles(retry.DefaultThrottles).IsErrorThrottle(err) == aws.TrueTernary
}

// noSuchJob: DescribeTrainingJob says a ValidationException "Requested resource
// not found." (assumption; moto says "Could not find training job"), other calls
// ResourceNotFound.
func noSuchJob(err error) bool {
	var gone *types.ResourceNotFound
	if errors.As(err, &gone) {
		return true
	}
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != "ValidationException" {
		return false
	}
	text := strings.ToLower(e.ErrorMessage())
	return strings.Contains(text, "resource not found") || strings.Contains(text, "could not find training job")
}

// ask gives an error of a read its meaning, and forgets a login that was
// refused: the person may have just signed in again.
func (cl *client) ask(err error) error {
	var known *pluginsdk.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	code := codeOf(err)
	switch {
	case expired(code), signing(err):
		if cl.drop != nil {
			cl.drop()
		}
		return pluginsdk.Auth(err)
	case denied(code):
		return pluginsdk.Auth(err)
	case throttled(err):
		return pluginsdk.Throttled(err, 0)
	}
	return pluginsdk.Unreachable(err)
}

// signing tells whether the request was not even sent, for want of credentials.
func signing(err error) bool {
	text := err.Error()
	return codeOf(err) == "" && (strings.Contains(text, "get credentials:") || strings.Contains(text, "failed to refresh cached credentials") ||
		strings.Contains(text, "get identity:"))
}

// notSent tells whether no byte of the request can have reached the service: the
// connection itself failed.
func notSent(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// refused tells whether the service answered with a refusal of this very
// request: a status of the 400s with a code.
func refused(err error) bool {
	var r *smithyhttp.ResponseError
	return errors.As(err, &r) && r.HTTPStatusCode() >= 400 && r.HTTPStatusCode() < 500 && codeOf(err) != ""
}
