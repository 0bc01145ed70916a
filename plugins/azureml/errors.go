package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/stephost/stephost/pluginsdk"
)

// refusal is the answer of a service that refused, or nil.
func refusal(err error) *azcore.ResponseError {
	var e *azcore.ResponseError
	if errors.As(err, &e) {
		return e
	}
	return nil
}

func statusCode(err error) int {
	if e := refusal(err); e != nil {
		return e.StatusCode
	}
	return 0
}

// gone tells whether a read says that the thing is not there. That the place
// itself is not there says nothing about the thing
// (https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors).
func gone(err error) bool {
	e := refusal(err)
	return e != nil && e.StatusCode == http.StatusNotFound &&
		!slices.Contains([]string{"ResourceGroupNotFound", "SubscriptionNotFound", "InvalidSubscriptionId"}, e.ErrorCode)
}

// ask gives an error of a read its meaning, and forgets a login that was
// refused: the person may have just signed in again.
func (cl *client) ask(err error) error {
	var known *pluginsdk.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	var none *credentialsError
	if errors.As(err, &none) {
		var network net.Error
		var form *formError
		switch {
		case errors.As(err, &form) && form.status >= http.StatusInternalServerError,
			errors.As(err, &network), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
			return pluginsdk.Unreachable(err)
		}
		return cl.signedOut(err)
	}
	switch statusCode(err) {
	case http.StatusUnauthorized:
		return cl.signedOut(err)
	case http.StatusForbidden:
		return pluginsdk.Auth(err)
	case http.StatusTooManyRequests:
		return pluginsdk.Throttled(err, retryAfter(err))
	}
	return pluginsdk.Unreachable(err)
}

func (cl *client) signedOut(err error) error {
	if cl.drop != nil {
		cl.drop()
	}
	return pluginsdk.Auth(err)
}

// retryAfter is the pause that the service asks for, or 0.
func retryAfter(err error) time.Duration {
	e := refusal(err)
	if e == nil || e.RawResponse == nil {
		return 0
	}
	seconds, err := strconv.Atoi(e.RawResponse.Header.Get("Retry-After"))
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// notSent tells whether no byte of a request can have reached the service: there
// was no token, or the connection itself failed.
func notSent(err error) bool {
	var none *credentialsError
	if errors.As(err, &none) {
		return true
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}
