package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stephost/stephost/plugins/kubernetes/job"
	"github.com/stephost/stephost/pluginsdk"
)

// executorsOf are the executors of a driver's Job that have not ended.
func executorsOf(ctx context.Context, cluster *job.Cluster, key string) ([]*corev1.Pod, error) {
	list, err := cluster.Pods(ctx, metav1.ListOptions{LabelSelector: labelExecutorOf + "=" + key})
	if err != nil {
		return nil, err
	}
	var left []*corev1.Pod
	for i := range list.Items {
		if pod := &list.Items[i]; !job.Ended(pod) {
			left = append(left, pod)
		}
	}
	return left, nil
}

// A driver whose executors do not come to be runs, and waits for them without an end:
// that no node has room for them, or that their image cannot be pulled, stands in its log
// as a warning that "initial job has not accepted any resources". So they are looked at.
const (
	// executorsAfter is how old an executor is before it is said to wait: longer than a
	// cluster with room takes to begin it.
	executorsAfter = 15 * time.Second
	// executorsEvery is the pace of looking while some wait, and executorsMost what it
	// slows down to while none does.
	executorsEvery = 15 * time.Second
	executorsMost  = 2 * time.Minute
	// executorsBound is for one look.
	executorsBound = 5 * time.Second
)

// waitingExecutors adds to the status of a driver that runs what its executors wait for.
// Who may not look at pods sees nothing of it.
func waitingExecutors(ctx context.Context, v job.View, a *appSeen, st *pluginsdk.Status) {
	now := time.Now()
	if now.Sub(st.PhaseSince) >= executorsAfter && now.Sub(a.looked) >= a.rest {
		ctx, cancel := context.WithTimeout(ctx, executorsBound)
		defer cancel()
		pods, err := executorsOf(ctx, v.Cluster, v.Key)
		a.waits = waits(pods, now)
		a.looked = now
		if a.rest = min(max(2*a.rest, executorsEvery), executorsMost); err == nil && a.waits != "" {
			a.rest = executorsEvery
		}
	}
	if a.waits == "" || st.Reason != "" {
		return
	}
	st.Reason = "ExecutorsWaiting"
	if st.Message != "" {
		st.Message += "; "
	}
	st.Message += a.waits
}

// waits says how many executors have waited for long, and what the first of them waits
// for; "" when none has.
func waits(pods []*corev1.Pod, now time.Time) string {
	slices.SortFunc(pods, func(a, b *corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	n, why := 0, ""
	for _, pod := range pods {
		w := job.Waiting(pod)
		// Its container is none of a step, so that Waiting cannot tell when it runs.
		if pod.Status.Phase != corev1.PodPending || w.Phase == 0 || now.Sub(pod.CreationTimestamp.Time) < executorsAfter {
			continue
		}
		n++
		if why == "" && w.Reason != "" {
			why = ": " + w.Reason
			if w.Message != "" {
				why += ": " + strings.Join(strings.Fields(w.Message), " ")
			}
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d executors wait%s", n, len(pods), why)
}

// executorsGone holds back the end of an application until its executors are gone.
// The driver's pod owns them, so they go with it; of a pod that stays, because it
// ended by itself, nothing else deletes those that never began.
//
// A cluster that cannot be asked holds back only what was cancelled, as on a
// standalone cluster.
func executorsGone(ctx context.Context, v job.View, st pluginsdk.Status) (pluginsdk.Status, error) {
	left, err := executorsOf(ctx, v.Cluster, v.Key)
	if err != nil {
		if st.Phase == pluginsdk.Cancelled {
			return st, job.Ask(fmt.Errorf("whether the executors are gone cannot be asked: %w", err))
		}
		return st, nil
	}
	if len(left) == 0 {
		return st, nil
	}
	if v.Acts {
		if err := deleteExecutors(ctx, v.Cluster, left); err != nil {
			pluginsdk.Logger(ctx).Warn("executors are not deleted", "job", v.Job.Name, "error", err)
		}
	}
	return pluginsdk.Status{Phase: pluginsdk.Cancelling, NativeState: st.NativeState, Reason: "ExecutorsEnding", Restarts: st.Restarts,
		Message: fmt.Sprintf("the driver is over; %d executors are still there", len(left))}, nil
}

// executorGrace is for executors whose driver is over: nobody wants what they do.
const executorGrace = 5

func deleteExecutors(ctx context.Context, cluster *job.Cluster, pods []*corev1.Pod) error {
	for _, pod := range pods {
		if pod.DeletionTimestamp != nil {
			continue
		}
		if err := cluster.DeletePod(ctx, pod.Name, pod.UID, executorGrace); err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return job.Ask(err)
		}
	}
	return nil
}
