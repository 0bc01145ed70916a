package kube

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/stephost/stephost/pluginsdk"
)

func answer(code int32, reason metav1.StatusReason, message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message}}
}

// Only what is certain may be called certain: the outcome of a creating call.
func TestRejected(t *testing.T) {
	jobs := schema.GroupResource{Group: "batch", Resource: "jobs"}
	for name, c := range map[string]struct {
		err      error
		rejected bool
		ask      pluginsdk.Ask
		class    pluginsdk.Class
	}{
		"no connection":     {err: &net.OpError{Op: "dial", Err: errors.New("connection refused")}, rejected: true, ask: pluginsdk.AskUnreachable, class: pluginsdk.ClassSystem},
		"no address":        {err: fmt.Errorf("get: %w", &net.DNSError{Err: "no such host"}), rejected: true, ask: pluginsdk.AskUnreachable, class: pluginsdk.ClassSystem},
		"connection broke":  {err: &net.OpError{Op: "read", Err: errors.New("connection reset")}},
		"timeout":           {err: apierrors.NewTimeoutError("x", 1)},
		"500":               {err: apierrors.NewInternalError(errors.New("etcd"))},
		"503":               {err: apierrors.NewServiceUnavailable("x")},
		"504":               {err: answer(http.StatusGatewayTimeout, metav1.StatusReasonTimeout, "x")},
		"unknown":           {err: errors.New("what?")},
		"already exists":    {err: apierrors.NewAlreadyExists(jobs, "x")},
		"conflict":          {err: apierrors.NewConflict(jobs, "x", errors.New("x"))},
		"too many requests": {err: apierrors.NewTooManyRequests("x", 7), rejected: true, ask: pluginsdk.AskThrottled, class: pluginsdk.ClassSystem},
		"unauthorized":      {err: apierrors.NewUnauthorized("x"), rejected: true, ask: pluginsdk.AskAuth, class: pluginsdk.ClassAuth},
		"may not":           {err: answer(403, metav1.StatusReasonForbidden, `jobs.batch is forbidden: User "u" cannot create resource "jobs" in API group "batch"`), rejected: true, ask: pluginsdk.AskAuth, class: pluginsdk.ClassAuth},
		"quota":             {err: answer(403, metav1.StatusReasonForbidden, `jobs.batch "x" is forbidden: exceeded quota: q`), rejected: true, class: pluginsdk.ClassCapacity},
		"admission":         {err: answer(403, metav1.StatusReasonForbidden, `admission webhook "w" denied the request: no`), rejected: true, class: pluginsdk.ClassConfig},
		"invalid":           {err: answer(422, metav1.StatusReasonInvalid, "spec: invalid"), rejected: true, class: pluginsdk.ClassConfig},
		"credential plugin": {err: errors.New("getting credentials: exec: executable aws not found"), rejected: true, ask: pluginsdk.AskAuth, class: pluginsdk.ClassAuth},
	} {
		t.Run(name, func(t *testing.T) {
			got := Rejected(c.err)
			var outer *pluginsdk.Error
			if !c.rejected {
				assert.False(t, errors.As(got, &outer), "%v", got)
				return
			}
			require.ErrorAs(t, got, &outer)
			assert.True(t, outer.Rejected)
			assert.Equal(t, c.class, outer.Class)
			var inner *pluginsdk.Error
			if errors.As(outer.Err, &inner) {
				assert.Equal(t, c.ask, inner.Ask)
			}
		})
	}
}

func TestAsk(t *testing.T) {
	for name, c := range map[string]struct {
		err error
		ask pluginsdk.Ask
	}{
		"refused":   {&net.OpError{Op: "dial", Err: errors.New("refused")}, pluginsdk.AskUnreachable},
		"500":       {apierrors.NewInternalError(errors.New("x")), pluginsdk.AskUnreachable},
		"403":       {answer(403, metav1.StatusReasonForbidden, "x"), pluginsdk.AskAuth},
		"401":       {apierrors.NewUnauthorized("x"), pluginsdk.AskAuth},
		"429":       {apierrors.NewTooManyRequests("x", 3), pluginsdk.AskThrottled},
		"no config": {&ConfigError{Err: errors.New("no such context")}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var e *pluginsdk.Error
			require.ErrorAs(t, Ask(c.err), &e)
			assert.Equal(t, c.ask, e.Ask)
		})
	}
	assert.NoError(t, Ask(nil))
}
