package job

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/stephost/stephost/pluginsdk"
)

// failure is the verdict of a Job that failed by itself. failed is its condition,
// nil when its pod is ahead of it.
func failure(st pluginsdk.Status, job *batchv1.Job, pods []*corev1.Pod, failed *batchv1.JobCondition) pluginsdk.Status {
	st.Phase = pluginsdk.Failed
	st.StartedAt, st.EndedAt = times(job, pods)
	if failed != nil && failed.Reason == batchv1.JobReasonDeadlineExceeded {
		st.Class, st.Reason, st.Message = pluginsdk.ClassTimeout, failed.Reason, failed.Message
		return st
	}
	if pod := culprit(pods); pod != nil {
		return podFailure(st, pod, nodesOf(job))
	}
	if failed == nil {
		return st
	}
	return conditionFailure(st, failed)
}

// culprit is the pod that failed first: the others are ended because of it.
func culprit(pods []*corev1.Pod) *corev1.Pod {
	var bad []*corev1.Pod
	for _, pod := range pods {
		if pod.Status.Phase == corev1.PodFailed {
			bad = append(bad, pod)
		}
	}
	if len(bad) == 0 {
		return nil
	}
	return slices.MinFunc(bad, func(a, b *corev1.Pod) int {
		// One that was deleted is a consequence, unless it is all there is.
		if (a.DeletionTimestamp != nil) != (b.DeletionTimestamp != nil) {
			if a.DeletionTimestamp != nil {
				return 1
			}
			return -1
		}
		ea, eb := stepEnd([]*corev1.Pod{a}), stepEnd([]*corev1.Pod{b})
		if ea == nil || eb == nil {
			return cmp.Compare(rank(a), rank(b))
		}
		return cmp.Or(ea.FinishedAt.Compare(eb.FinishedAt.Time), cmp.Compare(rank(a), rank(b)))
	})
}

// podFailure tells why a pod failed, and whose matter that is.
func podFailure(st pluginsdk.Status, pod *corev1.Pod, nodes int) pluginsdk.Status {
	where := ""
	if nodes > 1 {
		where = fmt.Sprintf("node %d: ", rank(pod))
	}
	end := stepEnd([]*corev1.Pod{pod})
	set := func(class pluginsdk.Class, reason, message string) pluginsdk.Status {
		st.Class, st.Reason, st.Message = class, reason, where+message
		return st
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.DisruptionTarget && c.Status == corev1.ConditionTrue && !ownLimit(pod.Status.Message) {
			return set(disruption(c.Reason), disruptionReason(pod, c.Reason), first(c.Message, c.Reason))
		}
	}
	switch {
	case end != nil && end.Reason == "OOMKilled":
		st.ExitCode, st.Signal = pluginsdk.Exit(int(end.ExitCode)), "SIGKILL"
		return set(pluginsdk.ClassUser, end.Reason, "the step took more memory than its limit and was killed")
	case pod.Status.Reason == "Evicted" && ownLimit(pod.Status.Message):
		return set(pluginsdk.ClassUser, pod.Status.Reason, pod.Status.Message)
	case pod.Status.Reason == "DeadlineExceeded":
		return set(pluginsdk.ClassTimeout, pod.Status.Reason, first(pod.Status.Message, "the pod's deadline has passed"))
	case pod.Status.Reason != "":
		return set(kubeletRefusal(pod.Status.Reason), pod.Status.Reason, pod.Status.Message)
	case end == nil:
		return set(pluginsdk.ClassSystem, "Failed", first(pod.Status.Message, "the pod failed and does not say why"))
	}
	switch {
	case neverRan(end.Reason):
		// Mostly a command that is not there.
		return set(pluginsdk.ClassConfig, end.Reason, oneLine(end.Message))
	case end.Reason == "ContainerStatusUnknown":
		return set(pluginsdk.ClassSystem, end.Reason, first(end.Message, "the kubelet lost the container"))
	}
	if end.ExitCode == 0 {
		return otherContainer(set, pod)
	}
	st.ExitCode = pluginsdk.Exit(int(end.ExitCode))
	if end.Signal > 0 {
		st.Signal = "signal " + strconv.Itoa(int(end.Signal))
	}
	return set(pluginsdk.ClassUser, end.Reason, first(end.Message, fmt.Sprintf("the step exited with code %d", end.ExitCode)))
}

// neverRan tells whether the runtime could not start the process (kubelet
// kuberuntime: StartError; older ones: ContainerCannotRun).
func neverRan(reason string) bool { return reason == "StartError" || reason == "ContainerCannotRun" }

// otherContainer is for a pod that failed though the step did not.
func otherContainer(set func(pluginsdk.Class, string, string) pluginsdk.Status, pod *corev1.Pod) pluginsdk.Status {
	for _, c := range append(append([]corev1.ContainerStatus(nil), pod.Status.InitContainerStatuses...), pod.Status.ContainerStatuses...) {
		if t := c.State.Terminated; t != nil && t.ExitCode != 0 {
			return set(pluginsdk.ClassUser, t.Reason, fmt.Sprintf("the container %s exited with code %d", c.Name, t.ExitCode))
		}
	}
	return set(pluginsdk.ClassSystem, "Failed", "the pod failed though its containers did not")
}

// disruption is the class of a DisruptionTarget condition.
// https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions
func disruption(reason string) pluginsdk.Class {
	switch reason {
	case "DeletionByTaintManager", "DeletionByPodGC":
		return pluginsdk.ClassSystem // the node is gone or not heard from
	}
	return pluginsdk.ClassPreempted
}

func disruptionReason(pod *corev1.Pod, reason string) string {
	switch {
	case disruption(reason) == pluginsdk.ClassSystem:
		return "NodeLost"
	case pod.Status.Reason != "":
		return pod.Status.Reason // Evicted, Terminated, ...
	}
	return reason
}

// ownLimit tells an eviction for the pod's own limit from one for the node's
// need. The words are the kubelet's (pkg/kubelet/eviction/helpers.go:
// "... exceeds the total limit of containers", "Container ... exceeded its local
// ephemeral storage limit", "Usage of EmptyDir volume ... exceeds the limit").
func ownLimit(message string) bool {
	return strings.Contains(message, "exceeds the limit") || strings.Contains(message, "exceeds the total limit") || strings.Contains(message, "exceeded its local ephemeral storage limit")
}

// kubeletRefusal is the class of a pod that a kubelet did not admit or gave up
// (pkg/kubelet/lifecycle/predicate.go, nodeshutdown, kubelet.go).
func kubeletRefusal(reason string) pluginsdk.Class {
	switch {
	case strings.HasPrefix(reason, "OutOf"), reason == "NodeAffinity", reason == "UnexpectedAdmissionError", reason == "TopologyAffinityError", reason == "NodePorts", reason == "InsufficientResource":
		return pluginsdk.ClassCapacity
	case reason == "Evicted", reason == "Preempting", reason == "Terminated", reason == "NodeShutdown", reason == "Shutdown":
		return pluginsdk.ClassPreempted
	}
	return pluginsdk.ClassSystem
}

// exitCode reads the exit code out of a Job's condition. The words are those of
// the Job controller (pkg/controller/job/pod_failure_policy.go: "Container %s for
// pod %s/%s failed with exit code %v matching %v rule at index %d").
func exitCode(message string) (int, bool) {
	_, rest, ok := strings.Cut(message, " failed with exit code ")
	if !ok {
		return 0, false
	}
	digits, _, _ := strings.Cut(rest, " ")
	code, err := strconv.Atoi(digits)
	return code, err == nil
}

// conditionFailure is the verdict when the pods are gone: the Job's condition
// keeps what the podFailurePolicy matched.
func conditionFailure(st pluginsdk.Status, failed *batchv1.JobCondition) pluginsdk.Status {
	st.Class, st.Reason, st.Message = pluginsdk.ClassSystem, failed.Reason, failed.Message
	if code, ok := exitCode(failed.Message); ok {
		st.Class, st.ExitCode, st.Message = pluginsdk.ClassUser, &code, fmt.Sprintf("the step exited with code %d", code)
		return st
	}
	if strings.Contains(failed.Message, "has condition "+string(corev1.DisruptionTarget)) {
		st.Class = pluginsdk.ClassPreempted
	}
	return st
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
