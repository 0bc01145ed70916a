package kube

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/stephost/stephost/pluginsdk"
)

// NotSent tells whether the connection itself could not be made: then no server
// saw the request.
func NotSent(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	return errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial"
}

// Ask makes "could not ask" of the error of a read.
func Ask(err error) error {
	var config *ConfigError
	after, delayed := apierrors.SuggestsClientDelay(err)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &config):
		return pluginsdk.Config("config.context", "%w", err)
	case apierrors.IsUnauthorized(err), apierrors.IsForbidden(err), credentials(err):
		return pluginsdk.Auth(err)
	case apierrors.IsTooManyRequests(err), delayed:
		return pluginsdk.Throttled(err, time.Duration(after)*time.Second)
	}
	return pluginsdk.Unreachable(err)
}

// credentials tells whether a credential plugin of the kubeconfig failed.
// client-go has no type for it (plugin/pkg/client/auth/exec: "getting
// credentials: ...").
func credentials(err error) bool { return strings.Contains(err.Error(), "getting credentials: ") }

// Refusal tells whether an answer to a creating call means that certainly
// nothing was created. 409 is not among them: the object may be there. Nor are
// 408 and 5xx.
func Refusal(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	code := status.Status().Code
	return code >= 400 && code < 500 && code != http.StatusConflict && code != http.StatusRequestTimeout
}

// Rejected makes the answer of Submit of the error of its creating call: what
// is certain, with whose matter it is; else the error as it is, which leaves
// the outcome open.
func Rejected(err error) error {
	switch {
	case NotSent(err):
		return pluginsdk.Rejected(pluginsdk.Unreachable(err))
	case credentials(err):
		return pluginsdk.Rejected(pluginsdk.Auth(err))
	case !Refusal(err):
		return err
	case apierrors.IsUnauthorized(err):
		return pluginsdk.Rejected(pluginsdk.Auth(err))
	case apierrors.IsTooManyRequests(err):
		after, _ := apierrors.SuggestsClientDelay(err)
		return pluginsdk.Rejected(pluginsdk.Throttled(err, time.Duration(after)*time.Second))
	case apierrors.IsForbidden(err):
		return pluginsdk.Rejected(forbidden(err))
	}
	return pluginsdk.Rejected(pluginsdk.Config("", "%w", err))
}

// forbidden tells the three things apart that the API server answers 403 for.
// The words are those of the plugins that say them: quota (apiserver
// pkg/admission/plugin/resourcequota: "exceeded quota"), missing permission
// (apiserver endpoints/handlers/responsewriters: "cannot create resource"), and
// else an admission plugin, such as Pod Security.
func forbidden(err error) error {
	switch text := err.Error(); {
	case strings.Contains(text, "exceeded quota"):
		return pluginsdk.Capacity(err)
	case strings.Contains(text, " cannot create resource "):
		return pluginsdk.Auth(err)
	}
	return pluginsdk.Config("", "%w", err)
}

// Over tells whether err is only the end of ctx.
func Over(ctx context.Context, err error) bool { return err != nil && ctx.Err() != nil }
