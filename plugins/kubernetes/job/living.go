package job

import (
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/stephost/stephost/pluginsdk"
)

// living is the status of a Job that is not over.
func living(st pluginsdk.Status, job *batchv1.Job, pods []*corev1.Pod, end *endNote) pluginsdk.Status {
	last := latest(pods)
	switch {
	case end != nil:
		st.Phase, st.PhaseSince, st.Reason, st.Message = pluginsdk.Cancelling, end.At, end.Reason, end.Message
		return st
	case job.DeletionTimestamp != nil:
		st.Phase, st.Reason, st.Message = pluginsdk.Cancelling, "JobDeleted", "somebody deletes the Job"
		return st
	case len(last) == 0:
		return podless(st, job)
	}
	running, since := 0, time.Time{}
	for _, pod := range last {
		if c := stepStatus(pod); c != nil && c.State.Running != nil {
			running++
			if t := c.State.Running.StartedAt.Time; t.After(since) {
				since = t
			}
		} else if ended(pod) {
			running++
		}
	}
	// The node that is furthest behind says what is waited for.
	for _, pod := range last {
		if w := waiting(pod); w.Phase != 0 && (st.Phase == 0 || w.Phase < st.Phase) {
			st.Phase, st.Reason, st.Message, st.PhaseSince = w.Phase, w.Reason, w.Message, w.PhaseSince
		}
	}
	if len(last) < nodesOf(job) && (st.Phase == 0 || st.Phase > pluginsdk.Queued) {
		st.Phase, st.Reason, st.Message = pluginsdk.Queued, "PodsMissing", fmt.Sprintf("%d of %d pods are made", len(last), nodesOf(job))
	}
	if st.Phase != 0 {
		if nodesOf(job) > 1 {
			st.Message = fmt.Sprintf("%d of %d nodes run; %s", running, nodesOf(job), st.Message)
		}
		return st
	}
	st.Phase, st.PhaseSince = pluginsdk.Running, since
	for _, pod := range last {
		if reason, message := trouble(pod); reason != "" {
			st.Reason, st.Message = reason, message
			break
		}
	}
	return st
}

// podless is the status of a Job without pods.
func podless(st pluginsdk.Status, job *batchv1.Job) pluginsdk.Status {
	st.Phase, st.PhaseSince = pluginsdk.Queued, job.CreationTimestamp.Time
	switch {
	case incomplete(job):
		st.Reason, st.Message = "Incomplete", "the Job waits for its Secret or Service; the next launch of the run makes it"
	case suspended(job):
		st.Reason, st.Message = "Suspended", "the Job is suspended by somebody else, such as a queue"
	case condition(job, batchv1.JobFailureTarget) != nil, job.Status.StartTime != nil && job.Status.Failed+job.Status.Succeeded > 0:
		// Its pods are gone, and the Job says what that means in a moment.
		st.Phase = pluginsdk.Running
	}
	return st
}

// Waiting tells what a pod that has not begun waits for, with the phase that its Job
// would have (Queued, Provisioning); Phase 0 = it does not wait.
func Waiting(pod *corev1.Pod) pluginsdk.Status { return waiting(pod) }

// waiting tells what a pod waits for; Phase 0 = it does not.
func waiting(pod *corev1.Pod) pluginsdk.Status {
	st := pluginsdk.Status{Phase: pluginsdk.Queued, PhaseSince: pod.CreationTimestamp.Time}
	if ended(pod) {
		return pluginsdk.Status{}
	}
	if pod.Spec.NodeName == "" {
		for _, c := range pod.Status.Conditions {
			if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
				// The scheduler's own words: "0/3 nodes are available: ...".
				st.Reason, st.Message = c.Reason, c.Message
			}
		}
		return st
	}
	st.Phase = pluginsdk.Provisioning
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionTrue {
			st.PhaseSince = c.LastTransitionTime.Time
		}
	}
	if c := stepStatus(pod); c != nil && c.State.Running != nil || c != nil && c.State.Terminated != nil {
		return pluginsdk.Status{}
	}
	// An init container's trouble comes before the step's.
	for _, c := range append(append([]corev1.ContainerStatus(nil), pod.Status.InitContainerStatuses...), pod.Status.ContainerStatuses...) {
		w := c.State.Waiting
		if w == nil || w.Reason == "PodInitializing" && st.Reason != "" {
			continue
		}
		st.Reason, st.Message = w.Reason, w.Message
		if w.Reason != "ContainerCreating" && w.Reason != "PodInitializing" {
			break
		}
	}
	if st.Message == "" {
		st.Message = "on node " + pod.Spec.NodeName
	}
	return st
}

// trouble tells what is wrong with a pod that runs.
func trouble(pod *corev1.Pod) (reason, message string) {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.DisruptionTarget && c.Status == corev1.ConditionTrue {
			return string(c.Type), c.Reason + ": " + c.Message
		}
	}
	if pod.DeletionTimestamp != nil {
		return "PodDeleted", "somebody deletes the pod " + pod.Name
	}
	// stephost asks for no readiness: a running container is unready only when the
	// node controller says so, because the node is not heard from.
	c := stepStatus(pod)
	if c == nil || c.State.Running == nil {
		return "", ""
	}
	for _, ready := range pod.Status.Conditions {
		if ready.Type == corev1.PodReady && ready.Status != corev1.ConditionTrue && c.Ready && ready.LastTransitionTime.After(c.State.Running.StartedAt.Time) {
			return "NodeNotReady", "the node " + pod.Spec.NodeName + " is not heard from"
		}
	}
	return "", ""
}
