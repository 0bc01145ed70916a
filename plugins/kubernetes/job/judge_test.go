package job

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stephost/stephost/pluginsdk"
)

// jobFor makes a Job of n nodes with conditions.
func jobFor(n int32, change ...func(*batchv1.Job)) *batchv1.Job {
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "stephost-k", UID: "j", Annotations: map[string]string{}, CreationTimestamp: metav1.Unix(1000, 0)},
		Spec: batchv1.JobSpec{Completions: &n, Parallelism: &n}}
	for _, c := range change {
		c(job)
	}
	return job
}

func jobSays(t batchv1.JobConditionType, reason, message string) func(*batchv1.Job) {
	return func(j *batchv1.Job) {
		j.Status.Conditions = append(j.Status.Conditions, batchv1.JobCondition{Type: t, Status: corev1.ConditionTrue, Reason: reason, Message: message})
	}
}

func endedWith(note string) func(*batchv1.Job) {
	return func(j *batchv1.Job) { j.Annotations[noteEnd] = note }
}

// podFor makes a pod of a rank.
func podFor(rank int, phase corev1.PodPhase, change ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("p-%d", rank), Annotations: map[string]string{noteIndex: strconv.Itoa(rank)}, CreationTimestamp: metav1.Unix(1001, 0)},
		Spec: corev1.PodSpec{NodeName: "n1"}, Status: corev1.PodStatus{Phase: phase}}
	for _, c := range change {
		c(pod)
	}
	return pod
}

func unbound(p *corev1.Pod) { p.Spec.NodeName = "" }

func podSays(t corev1.PodConditionType, status corev1.ConditionStatus, reason, message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: t, Status: status, Reason: reason, Message: message, LastTransitionTime: metav1.Unix(1100, 0)})
	}
}

func podIs(reason, message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Status.Reason, p.Status.Message = reason, message }
}

func waits(reason, message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: containerName, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}}
	}
}

func runs(p *corev1.Pod) {
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: containerName, Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Unix(1010, 0)}}}}
}

func exits(code int32, reason string, at int64) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: containerName, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: code, Reason: reason, StartedAt: metav1.Unix(1010, 0), FinishedAt: metav1.Unix(at, 0)}}}}
	}
}

func created(at int64) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.CreationTimestamp = metav1.Unix(at, 0)
		p.Name += "-" + strconv.FormatInt(at, 10)
	}
}

func TestJudge(t *testing.T) {
	const cancelNote = `{"cancel":true,"reason":"Cancelled","at":"2026-11-28T12:00:00Z"}`
	// Asked to end at 1015, with a grace of 30 s.
	deleting := func(p *corev1.Pod) {
		p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &metav1.Time{Time: time.Unix(1045, 0)}, ptr(int64(30))
	}
	exit := func(code int) *int { return &code }
	for name, c := range map[string]struct {
		job      *batchv1.Job
		pods     []*corev1.Pod
		phase    pluginsdk.Phase
		class    pluginsdk.Class
		reason   string
		says     string
		code     *int
		restarts int
	}{
		// Waiting.
		"no pods yet": {job: jobFor(1), phase: pluginsdk.Queued},
		"incomplete":  {job: jobFor(1, func(j *batchv1.Job) { j.Spec.Suspend = ptr(true); j.Annotations[noteIncomplete] = "true" }), phase: pluginsdk.Queued, reason: "Incomplete"},
		"suspended":   {job: jobFor(1, func(j *batchv1.Job) { j.Spec.Suspend = ptr(true) }), phase: pluginsdk.Queued, reason: "Suspended"},
		"unschedulable": {job: jobFor(1), pods: []*corev1.Pod{podFor(0, corev1.PodPending, unbound, podSays(corev1.PodScheduled, corev1.ConditionFalse, "Unschedulable", "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."))},
			phase: pluginsdk.Queued, reason: "Unschedulable", says: "Insufficient nvidia.com/gpu"},
		"creating":      {job: jobFor(1), pods: []*corev1.Pod{podFor(0, corev1.PodPending, waits("ContainerCreating", ""))}, phase: pluginsdk.Provisioning, reason: "ContainerCreating"},
		"image pull":    {job: jobFor(1), pods: []*corev1.Pod{podFor(0, corev1.PodPending, waits("ImagePullBackOff", "Back-off pulling image"))}, phase: pluginsdk.Provisioning, reason: "ImagePullBackOff", says: "Back-off"},
		"image pull 1":  {job: jobFor(1), pods: []*corev1.Pod{podFor(0, corev1.PodPending, waits("ErrImagePull", "not found"))}, phase: pluginsdk.Provisioning, reason: "ErrImagePull"},
		"config":        {job: jobFor(1), pods: []*corev1.Pod{podFor(0, corev1.PodPending, waits("CreateContainerConfigError", "secret not found"))}, phase: pluginsdk.Provisioning, reason: "CreateContainerConfigError"},
		"no status yet": {job: jobFor(1), pods: []*corev1.Pod{podFor(0, corev1.PodPending)}, phase: pluginsdk.Provisioning},
		// Running.
		"running": {job: jobFor(1), pods: []*corev1.Pod{podFor(0, corev1.PodRunning, runs)}, phase: pluginsdk.Running},
		"being disrupted": {job: jobFor(1), pods: []*corev1.Pod{podFor(0, corev1.PodRunning, runs, deleting, podSays(corev1.DisruptionTarget, corev1.ConditionTrue, "EvictionByEvictionAPI", "drained"))},
			phase: pluginsdk.Running, reason: "DisruptionTarget", says: "drained"},
		"node not heard from": {job: jobFor(1), pods: []*corev1.Pod{podFor(0, corev1.PodRunning, runs, podSays(corev1.PodReady, corev1.ConditionFalse, "", ""))}, phase: pluginsdk.Running, reason: "NodeNotReady"},
		"one of two runs": {job: jobFor(2), pods: []*corev1.Pod{podFor(0, corev1.PodRunning, runs), podFor(1, corev1.PodPending, unbound, podSays(corev1.PodScheduled, corev1.ConditionFalse, "Unschedulable", "no"))},
			phase: pluginsdk.Queued, reason: "Unschedulable", says: "1 of 2 nodes run"},
		"one of two made":  {job: jobFor(2), pods: []*corev1.Pod{podFor(0, corev1.PodRunning, runs)}, phase: pluginsdk.Queued, reason: "PodsMissing"},
		"one of two ended": {job: jobFor(2), pods: []*corev1.Pod{podFor(0, corev1.PodSucceeded, exits(0, "Completed", 1020)), podFor(1, corev1.PodRunning, runs)}, phase: pluginsdk.Running},
		"one of two failed, the other one is being ended": {job: jobFor(2, jobSays(batchv1.JobFailureTarget, "PodFailurePolicy", "")),
			pods: []*corev1.Pod{podFor(0, corev1.PodFailed, exits(3, "Error", 1020)), podFor(1, corev1.PodRunning, runs, deleting)}, phase: pluginsdk.Running, reason: "PodDeleted"},
		"replaced by Kubernetes": {job: jobFor(1), pods: []*corev1.Pod{podFor(0, corev1.PodFailed, exits(137, "Error", 1015)), podFor(0, corev1.PodRunning, runs, created(1020))}, phase: pluginsdk.Running, restarts: 1},
		// Over.
		"succeeded":                            {job: jobFor(1, jobSays(batchv1.JobComplete, "", "")), pods: []*corev1.Pod{podFor(0, corev1.PodSucceeded, exits(0, "Completed", 1020))}, phase: pluginsdk.Succeeded, code: exit(0)},
		"pod ahead of the Job":                 {job: jobFor(1), pods: []*corev1.Pod{podFor(0, corev1.PodSucceeded, exits(0, "Completed", 1020))}, phase: pluginsdk.Succeeded, code: exit(0)},
		"complete, pods removed":               {job: jobFor(1, jobSays(batchv1.JobComplete, "", "")), phase: pluginsdk.Succeeded, code: exit(0)},
		"both succeeded":                       {job: jobFor(2), pods: []*corev1.Pod{podFor(0, corev1.PodSucceeded), podFor(1, corev1.PodSucceeded)}, phase: pluginsdk.Succeeded, code: exit(0)},
		"exit 7":                               {job: jobFor(1), pods: []*corev1.Pod{podFor(0, corev1.PodFailed, exits(7, "Error", 1020))}, phase: pluginsdk.Failed, class: pluginsdk.ClassUser, reason: "Error", code: exit(7)},
		"exit 7, pods removed":                 {job: jobFor(1, jobSays(batchv1.JobFailed, "PodFailurePolicy", "Container step for pod ns/p failed with exit code 7 matching FailJob rule at index 1")), phase: pluginsdk.Failed, class: pluginsdk.ClassUser, reason: "PodFailurePolicy", code: exit(7)},
		"disrupted, pods removed":              {job: jobFor(1, jobSays(batchv1.JobFailed, "PodFailurePolicy", "Pod ns/p has condition DisruptionTarget matching FailJob rule at index 0")), phase: pluginsdk.Failed, class: pluginsdk.ClassPreempted, reason: "PodFailurePolicy"},
		"unknown, pods removed":                {job: jobFor(1, jobSays(batchv1.JobFailed, "BackoffLimitExceeded", "Job has reached the specified backoff limit")), phase: pluginsdk.Failed, class: pluginsdk.ClassSystem, reason: "BackoffLimitExceeded"},
		"OOM":                                  {job: jobFor(1), pods: []*corev1.Pod{podFor(0, corev1.PodFailed, exits(137, "OOMKilled", 1020))}, phase: pluginsdk.Failed, class: pluginsdk.ClassUser, reason: "OOMKilled", code: exit(137)},
		"evicted for the node":                 {job: jobFor(1), pods: []*corev1.Pod{podFor(0, corev1.PodFailed, podIs("Evicted", "The node was low on resource: memory."), podSays(corev1.DisruptionTarget, corev1.ConditionTrue, "TerminationByKubelet", "low"))}, phase: pluginsdk.Failed, class: pluginsdk.ClassPreempted, reason: "Evicted"},
		"evicted for its own limit":            {job: jobFor(1), pods: []*corev1.Pod{podFor(0, corev1.PodFailed, podIs("Evicted", "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi."), podSays(corev1.DisruptionTarget, corev1.ConditionTrue, "TerminationByKubelet", "x"))}, phase: pluginsdk.Failed, class: pluginsdk.ClassUser, reason: "Evicted", says: "exceeds"},
		"preempted by the scheduler":           {job: jobFor(1), pods: []*corev1.Pod{podFor(0, corev1.PodFailed, exits(143, "Error", 1020), podSays(corev1.DisruptionTarget, corev1.ConditionTrue, "PreemptionByScheduler", "a higher priority"))}, phase: pluginsdk.Failed, class: pluginsdk.ClassPreempted, reason: "PreemptionByScheduler"},
		"drained":                              {job: jobFor(1), pods: []*corev1.Pod{podFor(0, corev1.PodFailed, exits(143, "Error", 1020), podSays(corev1.DisruptionTarget, corev1.ConditionTrue, "EvictionByEvictionAPI", "Eviction API"))}, phase: pluginsdk.Failed, class: pluginsdk.ClassPreempted, reason: "EvictionByEvictionAPI"},
		"node lost":                            {job: jobFor(1), pods: []*corev1.Pod{podFor(0, corev1.PodFailed, podSays(corev1.DisruptionTarget, corev1.ConditionTrue, "DeletionByPodGC", "node no longer exists"))}, phase: pluginsdk.Failed, class: pluginsdk.ClassSystem, reason: "NodeLost"},
		"node shut down":                       {job: jobFor(1), pods: []*corev1.Pod{podFor(0, corev1.PodFailed, podIs("Terminated", "Pod was terminated in response to imminent node shutdown."))}, phase: pluginsdk.Failed, class: pluginsdk.ClassPreempted, reason: "Terminated"},
		"not admitted":                         {job: jobFor(1), pods: []*corev1.Pod{podFor(0, corev1.PodFailed, podIs("OutOfmemory", "Node didn't have enough resource"))}, phase: pluginsdk.Failed, class: pluginsdk.ClassCapacity, reason: "OutOfmemory"},
		"pod deadline":                         {job: jobFor(1), pods: []*corev1.Pod{podFor(0, corev1.PodFailed, podIs("DeadlineExceeded", ""), exits(143, "Error", 1020))}, phase: pluginsdk.Failed, class: pluginsdk.ClassTimeout, reason: "DeadlineExceeded"},
		"Job deadline":                         {job: jobFor(1, jobSays(batchv1.JobFailed, "DeadlineExceeded", "Job was active longer than specified deadline")), phase: pluginsdk.Failed, class: pluginsdk.ClassTimeout, reason: "DeadlineExceeded"},
		"no such command":                      {job: jobFor(1), pods: []*corev1.Pod{podFor(0, corev1.PodFailed, exits(128, "StartError", 1020))}, phase: pluginsdk.Failed, class: pluginsdk.ClassConfig, reason: "StartError"},
		"first of two failures":                {job: jobFor(2, jobSays(batchv1.JobFailed, "PodFailurePolicy", "")), pods: []*corev1.Pod{podFor(0, corev1.PodFailed, exits(1, "Error", 1050)), podFor(1, corev1.PodFailed, exits(9, "Error", 1020))}, phase: pluginsdk.Failed, class: pluginsdk.ClassUser, reason: "Error", says: "node 1", code: exit(9)},
		"a failure that the Job does not know": {job: jobFor(2), pods: []*corev1.Pod{podFor(0, corev1.PodFailed, exits(1, "Error", 1050)), podFor(1, corev1.PodFailed, exits(9, "Error", 1020))}, phase: pluginsdk.Running},
		"deleted by somebody":                  {job: jobFor(1, jobSays(batchv1.JobFailed, "PodFailurePolicy", "Pod ns/p was deleted")), phase: pluginsdk.Failed, class: pluginsdk.ClassSystem, reason: "PodFailurePolicy"},
		// Ended by stephost.
		"cancelling":                {job: jobFor(1, endedWith(cancelNote)), pods: []*corev1.Pod{podFor(0, corev1.PodRunning, runs, deleting)}, phase: pluginsdk.Cancelling, reason: "Cancelled"},
		"cancelling without pods":   {job: jobFor(1, endedWith(cancelNote)), phase: pluginsdk.Cancelling, reason: "Cancelled"},
		"cancelled":                 {job: jobFor(1, endedWith(cancelNote), jobSays(batchv1.JobFailed, "DeadlineExceeded", "")), phase: pluginsdk.Cancelled, class: pluginsdk.ClassCancelled, reason: "Cancelled"},
		"cancelled, pod ended":      {job: jobFor(1, endedWith(cancelNote)), pods: []*corev1.Pod{podFor(0, corev1.PodFailed, deleting, exits(143, "Error", 1020))}, phase: pluginsdk.Cancelled, class: pluginsdk.ClassCancelled, reason: "Cancelled", code: exit(143)},
		"cancelled while suspended": {job: jobFor(1, endedWith(cancelNote), func(j *batchv1.Job) { j.Spec.Suspend = ptr(true) }), phase: pluginsdk.Cancelled, class: pluginsdk.ClassCancelled, reason: "Cancelled"},
		"cancelled, exits with 0":   {job: jobFor(1, endedWith(cancelNote)), pods: []*corev1.Pod{podFor(0, corev1.PodSucceeded, deleting, exits(0, "Completed", 1020))}, phase: pluginsdk.Cancelled, class: pluginsdk.ClassCancelled, reason: "Cancelled", code: exit(0)},
		"cancelled, ends at once":   {job: jobFor(1, endedWith(cancelNote), jobSays(batchv1.JobComplete, "", "")), pods: []*corev1.Pod{podFor(0, corev1.PodSucceeded, deleting, exits(0, "Completed", 1015))}, phase: pluginsdk.Cancelled, class: pluginsdk.ClassCancelled, reason: "Cancelled", code: exit(0)},
		"success, deleted later":    {job: jobFor(1, endedWith(cancelNote)), pods: []*corev1.Pod{podFor(0, corev1.PodSucceeded, deleting, exits(0, "Completed", 1014))}, phase: pluginsdk.Succeeded, code: exit(0)},
		"cancelled before its start": {job: jobFor(1, endedWith(cancelNote)), pods: []*corev1.Pod{podFor(0, corev1.PodFailed, deleting, func(p *corev1.Pod) {
			p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: containerName, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "ContainerStatusUnknown"}}}}
		})}, phase: pluginsdk.Cancelled, class: pluginsdk.ClassCancelled, reason: "Cancelled", code: exit(137)},
		"failure before the cancel": {job: jobFor(1, endedWith(cancelNote), jobSays(batchv1.JobFailed, "DeadlineExceeded", "")), pods: []*corev1.Pod{podFor(0, corev1.PodFailed, exits(3, "Error", 1014))}, phase: pluginsdk.Failed, class: pluginsdk.ClassUser, reason: "Error", code: exit(3)},
		"cancelled, one of two had succeeded": {job: jobFor(2, endedWith(cancelNote), jobSays(batchv1.JobFailed, "DeadlineExceeded", "")),
			pods: []*corev1.Pod{podFor(0, corev1.PodSucceeded, exits(0, "Completed", 1010)), podFor(1, corev1.PodSucceeded, deleting, exits(0, "Completed", 1020))}, phase: pluginsdk.Cancelled, class: pluginsdk.ClassCancelled, reason: "Cancelled", code: exit(0)},
		"success before the cancel":  {job: jobFor(1, endedWith(cancelNote)), pods: []*corev1.Pod{podFor(0, corev1.PodSucceeded, exits(0, "Completed", 1020))}, phase: pluginsdk.Succeeded, code: exit(0)},
		"ended for its image":        {job: jobFor(1, endedWith(`{"class":2,"reason":"ImagePullBackOff","message":"Back-off"}`), jobSays(batchv1.JobFailed, "DeadlineExceeded", "")), phase: pluginsdk.Failed, class: pluginsdk.ClassConfig, reason: "ImagePullBackOff", says: "Back-off"},
		"somebody wrote in the note": {job: jobFor(1, endedWith("???"), jobSays(batchv1.JobFailed, "DeadlineExceeded", "")), phase: pluginsdk.Cancelled, class: pluginsdk.ClassCancelled},
		"the Job is being deleted":   {job: jobFor(1, func(j *batchv1.Job) { j.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }), pods: []*corev1.Pod{podFor(0, corev1.PodFailed, deleting, exits(143, "Error", 1020))}, phase: pluginsdk.Cancelling, reason: "JobDeleted"},
	} {
		t.Run(name, func(t *testing.T) {
			st := judge(c.job, c.pods)
			assert.Equal(t, c.phase.String(), st.Phase.String(), "%+v", st)
			assert.Equal(t, c.class, st.Class)
			assert.Equal(t, c.reason, st.Reason)
			assert.Contains(t, st.Message, c.says)
			assert.Equal(t, c.code, st.ExitCode)
			assert.Equal(t, c.restarts, st.Restarts)
		})
	}
}

func TestOverdue(t *testing.T) {
	job := jobFor(1, func(j *batchv1.Job) { j.Annotations[noteWatch] = `{"failFast":["ImagePullBackOff"],"startup":60}` })
	at := func(s int) time.Time { return job.CreationTimestamp.Add(time.Duration(s) * time.Second) }
	waits := pluginsdk.Status{Phase: pluginsdk.Provisioning, Reason: "ImagePullBackOff", Message: "x"}
	assert.EqualValues(t, pluginsdk.ClassConfig, overdue(job, waits, at(1)).Class)
	waits.Reason = "ErrImagePull"
	assert.Nil(t, overdue(job, waits, at(59)))
	assert.EqualValues(t, pluginsdk.ClassTimeout, overdue(job, waits, at(60)).Class)
	queued := pluginsdk.Status{Phase: pluginsdk.Queued, Reason: "Unschedulable"}
	assert.EqualValues(t, pluginsdk.ClassCapacity, overdue(job, queued, at(60)).Class)
	assert.Equal(t, "Unschedulable", overdue(job, queued, at(60)).Reason)
	assert.Nil(t, overdue(job, pluginsdk.Status{Phase: pluginsdk.Running}, at(100)))
	job.Annotations[noteEnd] = "{}"
	assert.Nil(t, overdue(job, waits, at(60)), "it is being ended already")
}

// TestSpent: behind a cancel the pod is gone before the Job says that it failed. What
// it left can be removed then.
func TestSpent(t *testing.T) {
	given := jobSays(batchv1.JobFailureTarget, batchv1.JobReasonDeadlineExceeded, "")
	for _, tc := range []struct {
		name string
		job  *batchv1.Job
		pods []*corev1.Pod
		want bool
	}{
		{"given up, and its pods are gone", jobFor(1, given), nil, true},
		{"given up, with a pod that ends", jobFor(1, given), []*corev1.Pod{podFor(0, corev1.PodRunning)}, false},
		{"without pods yet", jobFor(1), nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			assert.Equal(t, tc.want, spent(tc.job, tc.pods))
		})
	}
}
