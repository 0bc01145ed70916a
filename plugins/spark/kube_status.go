package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stephost/stephost/plugins/kubernetes/job"
	"github.com/stephost/stephost/plugins/spark/internal/standalone"
	"github.com/stephost/stephost/pluginsdk"
)

// ownWords begins what kube_driver.sh says when it could not begin.
const ownWords = "stephost: "

// refineDriver adds to the status of a driver's Job how far its application has
// come, why it could not begin, and whether executors are left.
func (f *spark) refineDriver(ctx context.Context, v job.View, st pluginsdk.Status) (pluginsdk.Status, error) {
	switch {
	case st.Phase == pluginsdk.Running:
		f.progressOf(ctx, v, &st)
		return st, nil
	case !st.Phase.Terminal():
		return st, nil
	}
	f.seen.forget(v.Key)
	if st.Phase == pluginsdk.Succeeded {
		return st, nil // Spark has deleted them before it ended
	}
	if text, is := strings.CutPrefix(st.Message, ownWords); is && st.Phase == pluginsdk.Failed {
		st.Class, st.Reason, st.Message, st.ExitCode = pluginsdk.ClassConfig, "DriverCannotStart", text, nil
	}
	return executorsGone(ctx, v, st)
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

// silentMost is the longest pause of asking a UI that does not answer: often nobody
// may ask it.
const silentMost = time.Minute

// progressOf asks the driver's UI through the API server. Who may not, sees no
// stages.
func (f *spark) progressOf(ctx context.Context, v job.View, st *pluginsdk.Status) {
	i := slices.IndexFunc(v.Pods, func(p *corev1.Pod) bool { return p.Status.Phase == corev1.PodRunning })
	port := driverUI(v)
	if i < 0 || port == 0 {
		return
	}
	a := f.seen.of(v.Key)
	if pause := max(progressEvery, a.pause); a.due(st.PhaseSince, pause) {
		ctx, cancel := context.WithTimeout(ctx, progressBound)
		defer cancel()
		client := standalone.Client{HTTP: v.Cluster.HTTP()}
		if p, err := client.Progress(ctx, v.Cluster.PodURL(v.Pods[i].Name, port), a.app); err == nil {
			a.app, a.told, a.pause = p.App, p.String(), 0
		} else {
			a.pause = min(2*pause, silentMost)
		}
		f.seen.put(v.Key, a)
	}
	if st.Message == "" && a.told != "" {
		st.Message = a.app + ": " + a.told
	}
}

// driverUI is the port of the driver's UI, 0 for none, as its command says it.
func driverUI(v job.View) int {
	port := usualDriverUI
	for _, arg := range step(&v.Job.Spec.Template.Spec).Command {
		if arg == "spark.ui.enabled=false" {
			return 0
		}
		if text, is := strings.CutPrefix(arg, "spark.ui.port="); is {
			port, _ = strconv.Atoi(text)
		}
	}
	return port
}

// cleanDriver removes what an ended driver left: what the Job of any step leaves, which
// is refused while it runs, and executors that it did not take along.
func (f *spark) cleanDriver(ctx context.Context, c Config, h pluginsdk.Handle, what pluginsdk.What) error {
	if err := f.kube.Cleanup(ctx, c.job(), h, what); err != nil {
		return err
	}
	cluster, err := f.kube.Open(ctx, c.job(), h)
	if err != nil {
		return err
	}
	left, err := executorsOf(ctx, cluster, h.Key)
	if err != nil {
		return job.Ask(err)
	}
	return deleteExecutors(ctx, cluster, left)
}
