package job

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/stephost/stephost/pluginsdk"
)

// judge makes the status of a Job and its pods. It looks at nothing else, so
// that everybody who looks at the same objects says the same.
//
// A Job with one pod is over with its pod: the phases Succeeded and Failed never
// change, no successor is made (backoffLimit 0), and the Job's own condition
// follows a second or two later. With several nodes a failure counts when the Job
// says so and no pod is left, because the others are ended first.
func judge(job *batchv1.Job, pods []*corev1.Pod) pluginsdk.Status {
	pods = byStart(pods)
	st := pluginsdk.Status{Restarts: restarts(job, pods), NativeState: nativeState(job, pods)}
	end := endOf(job)
	busy := slices.ContainsFunc(pods, func(p *corev1.Pod) bool { return !ended(p) })
	failed := condition(job, batchv1.JobFailed)
	switch {
	case condition(job, batchv1.JobComplete) != nil, allSucceeded(job, pods):
		if end != nil && end.Cancel && slices.ContainsFunc(latest(pods), obeyed) {
			return endedBy(st, job, pods, end)
		}
		return succeeded(st, job, pods)
	case busy || failed == nil && !overEarly(job, pods, end):
		return living(st, job, pods, end)
	case end != nil:
		if bad := culprit(pods); end.Cancel && bad != nil && tooLate(bad) {
			return failure(st, job, pods, nil)
		}
		return endedBy(st, job, pods, end)
	}
	return failure(st, job, pods, failed)
}

// obeyed tells whether a pod's step ended behind the request to end: then it was
// cancelled, whatever code it chose. What ended before has its own verdict: tooLate.
//
// A step is asked to end when its pod is deleted; the deletion's own time is that of
// the request plus the grace, also where the grace is shortened (apiserver
// pkg/registry/rest/delete.go, BeforeDelete). Both times have whole seconds: within
// the same one the step counts as asked, because one that obeys at once ends in it.
func obeyed(pod *corev1.Pod) bool {
	end := stepEnd([]*corev1.Pod{pod})
	return end != nil && pod.DeletionTimestamp != nil && end.FinishedAt.Unix() >= askedAt(pod).Unix()
}

// tooLate tells whether a pod's step ended before it was asked to. A container that
// the kubelet never started, or does not find any more, has no time of its end
// (ContainerStatusUnknown): of two causes the one that is known counts.
func tooLate(pod *corev1.Pod) bool {
	end := stepEnd([]*corev1.Pod{pod})
	return end != nil && end.FinishedAt.Unix() > 0 && !obeyed(pod)
}

// askedAt is when the deletion of a pod was asked for.
func askedAt(pod *corev1.Pod) time.Time {
	at := pod.DeletionTimestamp.Time
	if grace := pod.DeletionGracePeriodSeconds; grace != nil {
		at = at.Add(-time.Duration(*grace) * time.Second)
	}
	return at
}

// overEarly tells whether the Job is over though it does not say so: its only
// pod failed, or it was ended before it had pods.
func overEarly(job *batchv1.Job, pods []*corev1.Pod, end *endNote) bool {
	if end != nil && suspended(job) {
		return true
	}
	if nodesOf(job) == 1 && len(pods) > 0 {
		return latest(pods)[0].Status.Phase == corev1.PodFailed && job.DeletionTimestamp == nil
	}
	return false
}

// allSucceeded tells whether the last pod of every node has succeeded.
func allSucceeded(job *batchv1.Job, pods []*corev1.Pod) bool {
	last := latest(pods)
	if len(last) != nodesOf(job) {
		return false
	}
	for _, pod := range last {
		if pod.Status.Phase != corev1.PodSucceeded {
			return false
		}
	}
	return true
}

func succeeded(st pluginsdk.Status, job *batchv1.Job, pods []*corev1.Pod) pluginsdk.Status {
	st.Phase, st.ExitCode = pluginsdk.Succeeded, pluginsdk.Exit(0)
	st.StartedAt, st.EndedAt = times(job, pods)
	return st
}

// endedBy is the verdict of a Job that stephost ended.
func endedBy(st pluginsdk.Status, job *batchv1.Job, pods []*corev1.Pod, end *endNote) pluginsdk.Status {
	st.Phase, st.Class, st.Reason, st.Message = pluginsdk.Failed, pluginsdk.Class(end.Class), end.Reason, end.Message
	if end.Cancel {
		st.Phase, st.Class = pluginsdk.Cancelled, pluginsdk.ClassCancelled
		if c := stepEnd(pods); c != nil {
			st.ExitCode = pluginsdk.Exit(int(c.ExitCode))
		}
	}
	st.StartedAt, st.EndedAt = times(job, pods)
	return st
}

// endNote is the annotation noteEnd.
type endNote struct {
	// Cancel: a person or the host wanted it; else the flavor did, for Reason.
	Cancel  bool      `json:"cancel,omitempty"`
	Class   int32     `json:"class,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Message string    `json:"message,omitempty"`
	At      time.Time `json:"at"`
}

func endOf(job *batchv1.Job) *endNote {
	text, ok := job.Annotations[noteEnd]
	if !ok {
		return nil
	}
	end := &endNote{}
	if json.Unmarshal([]byte(text), end) != nil {
		// Somebody wrote into it. That the Job was to be ended is still true.
		return &endNote{Cancel: true}
	}
	return end
}

// condition is the Job's condition of a type, if it holds.
func condition(job *batchv1.Job, t batchv1.JobConditionType) *batchv1.JobCondition {
	for i := range job.Status.Conditions {
		if c := &job.Status.Conditions[i]; c.Type == t && c.Status == corev1.ConditionTrue {
			return c
		}
	}
	return nil
}

func suspended(job *batchv1.Job) bool { return job.Spec.Suspend != nil && *job.Spec.Suspend }

func nodesOf(job *batchv1.Job) int {
	if job.Spec.Completions == nil {
		return 1
	}
	return int(*job.Spec.Completions)
}

// ended tells whether no process of the pod is left. A kubelet reports these
// phases when its containers are gone; for a node that is gone itself the control
// plane does, which is all that can be known.
func ended(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// rank is the node of a pod: its index in an Indexed Job, else 0.
func rank(pod *corev1.Pod) int {
	n, _ := strconv.Atoi(pod.Annotations[noteIndex])
	return n
}

// byStart orders pods by rank, and those of one rank by creation.
func byStart(pods []*corev1.Pod) []*corev1.Pod {
	sorted := slices.Clone(pods)
	slices.SortStableFunc(sorted, func(a, b *corev1.Pod) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	})
	return sorted
}

// latest are the last pods of each rank, of pods in the order of byStart.
func latest(pods []*corev1.Pod) []*corev1.Pod {
	var last []*corev1.Pod
	for i, pod := range pods {
		if i+1 == len(pods) || rank(pods[i+1]) != rank(pod) {
			last = append(last, pod)
		}
	}
	return last
}

// restarts counts starts beyond the first: further pods of a rank, and further
// starts of the step's container in a pod. Of pods that are gone the Job's
// counters tell.
func restarts(job *batchv1.Job, pods []*corev1.Pod) int {
	n := len(pods) - len(latest(pods))
	for _, pod := range pods {
		if c := stepStatus(pod); c != nil {
			n += int(c.RestartCount)
		}
	}
	return max(n, int(job.Status.Failed)+int(job.Status.Succeeded)+int(job.Status.Active)-nodesOf(job))
}

func stepStatus(pod *corev1.Pod) *corev1.ContainerStatus {
	for i := range pod.Status.ContainerStatuses {
		if c := &pod.Status.ContainerStatuses[i]; c.Name == containerName {
			return c
		}
	}
	return nil
}

// stepEnd is how the step's process ended, of the first pod that tells.
func stepEnd(pods []*corev1.Pod) *corev1.ContainerStateTerminated {
	for _, pod := range pods {
		if c := stepStatus(pod); c != nil && c.State.Terminated != nil {
			return c.State.Terminated
		}
	}
	return nil
}

// times are the first start and the last end that the pods tell, else the Job's.
func times(job *batchv1.Job, pods []*corev1.Pod) (start, end time.Time) {
	for _, pod := range pods {
		c := stepStatus(pod)
		if c == nil || c.State.Terminated == nil {
			continue
		}
		t := c.State.Terminated
		if s := t.StartedAt.Time; !s.IsZero() && s.Unix() > 0 && (start.IsZero() || s.Before(start)) {
			start = s
		}
		if t.FinishedAt.After(end) {
			end = t.FinishedAt.Time
		}
	}
	if start.IsZero() && job.Status.StartTime != nil {
		start = job.Status.StartTime.Time
	}
	if end.IsZero() && job.Status.CompletionTime != nil {
		end = job.Status.CompletionTime.Time
	}
	for _, t := range []batchv1.JobConditionType{batchv1.JobFailed, batchv1.JobFailureTarget} {
		if c := condition(job, t); end.IsZero() && c != nil {
			end = c.LastTransitionTime.Time
		}
	}
	return start, end
}

// nativeState is Kubernetes' own word: the Job's condition and the pods' phases.
func nativeState(job *batchv1.Job, pods []*corev1.Pod) string {
	state := "Job"
	for _, t := range []batchv1.JobConditionType{batchv1.JobComplete, batchv1.JobFailed, batchv1.JobFailureTarget, batchv1.JobSuspended} {
		if condition(job, t) != nil {
			state = string(t)
			break
		}
	}
	count := map[corev1.PodPhase]int{}
	for _, pod := range pods {
		count[pod.Status.Phase]++
	}
	for _, phase := range []corev1.PodPhase{corev1.PodPending, corev1.PodRunning, corev1.PodSucceeded, corev1.PodFailed, corev1.PodUnknown} {
		if n := count[phase]; n == 1 && len(pods) == 1 {
			state += fmt.Sprintf("/%s", phase)
		} else if n > 0 {
			state += fmt.Sprintf("/%d %s", n, phase)
		}
	}
	return state
}
