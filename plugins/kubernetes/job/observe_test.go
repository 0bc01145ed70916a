package job

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/stephost/stephost/plugins/kubernetes/internal/kube"
	"github.com/stephost/stephost/plugins/kubernetes/internal/observe"
)

// troubled is the real API, with watches that it says to have forgotten, or that
// end soon. An API server forgets after five minutes, for which no test waits.
type troubled struct {
	*kube.Cluster
	old     atomic.Int32  // how many watches are answered with 410
	shorten time.Duration // how long a watch lives; 0 = as long as it likes
}

// forgotten answers as an API server does: at once, or as the first event.
func (a *troubled) forgotten() (w watch.Interface, is bool, err error) {
	left := a.old.Add(-1)
	if left < 0 {
		return nil, false, nil
	}
	expired := apierrors.NewResourceExpired("too old resource version: 1 (2)")
	if left%2 == 0 {
		return nil, true, expired
	}
	event := watch.NewFakeWithChanSize(1, false)
	event.Error(&expired.ErrStatus)
	return event, true, nil
}

func (a *troubled) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if a.shorten > 0 {
		return context.WithTimeout(ctx, a.shorten)
	}
	return context.WithCancel(ctx)
}

func (a *troubled) WatchJobs(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	if w, is, err := a.forgotten(); is {
		return w, err
	}
	ctx, cancel := a.bounded(ctx)
	context.AfterFunc(ctx, cancel)
	return a.Cluster.WatchJobs(ctx, o)
}

func (a *troubled) WatchPods(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	if w, is, err := a.forgotten(); is {
		return w, err
	}
	ctx, cancel := a.bounded(ctx)
	context.AfterFunc(ctx, cancel)
	return a.Cluster.WatchPods(ctx, o)
}

// until waits for a state.
func until(t *testing.T, sub *observe.Subscription, what string, is func(observe.State) bool) observe.State {
	t.Helper()
	end := time.After(hang)
	for {
		select {
		case <-sub.Changed():
		case <-end:
			require.FailNow(t, "waited too long for "+what)
		}
		if s := sub.State(); is(s) {
			return s
		}
	}
}

func TestAWatchThatTheServerHasForgotten(t *testing.T) {
	h := newHarness(t)
	s := h.step("forgotten")
	h.accepted(s)
	api := &troubled{Cluster: h.api}
	api.old.Store(4)
	hub := observe.New(api, labelManaged+"="+managedBy, labelKey)
	defer hub.Close()
	sub := hub.Subscribe(s.Key)
	defer sub.Close()
	until(t, sub, "the Job", func(s observe.State) bool { return s.Known && s.Err == nil && s.Job != nil && len(s.Pods) == 1 })
	assert.Negative(t, api.old.Load(), "every watch was asked for anew")
}

// Watches that end all the time lose nothing: changes are seen before the next
// confirmation. A round that had to wait for it would take as long as it at least; one
// or the other does on a busy machine.
func TestWatchesThatEnd(t *testing.T) {
	h := newHarness(t)
	hub := observe.New(&troubled{Cluster: h.api, shorten: 150 * time.Millisecond}, labelManaged+"="+managedBy, labelKey)
	defer hub.Close()
	const rounds = 8
	quick := 0
	for i := range rounds {
		s := h.step(fmt.Sprint("ends", i))
		sub := hub.Subscribe(s.Key)
		until(t, sub, "nothing", func(s observe.State) bool { return s.Known && s.Job == nil })
		begun := time.Now()
		h.accepted(s)
		until(t, sub, "the Job and its pod", func(s observe.State) bool { return s.Job != nil && len(s.Pods) == 1 })
		h.kubectl("delete", "job", h.job(s.Key).Name, "-n", h.namespace)
		until(t, sub, "its end", func(s observe.State) bool { return s.Job == nil && len(s.Pods) == 0 })
		if time.Since(begun) < observe.ConfirmEvery {
			quick++
		}
		sub.Close()
	}
	assert.Greater(t, quick, rounds/2)
}

func TestAHubRestsAndComesBack(t *testing.T) {
	h := newHarness(t)
	s := h.step("rest")
	h.accepted(s)
	hub := observe.New(h.api, labelManaged+"="+managedBy, labelKey)
	defer hub.Close()
	for range 3 {
		sub := hub.Subscribe(s.Key)
		until(t, sub, "the Job", func(s observe.State) bool { return s.Job != nil })
		sub.Close()
		sub.Close()
		assert.True(t, hub.Idle())
	}
	_, watches := hub.Calls()
	assert.Equal(t, 2, watches, "watches linger between two subscriptions")
	hub.Close()
	sub := hub.Subscribe(s.Key)
	defer sub.Close()
	until(t, sub, "the Job", func(s observe.State) bool { return s.Job != nil })
}
