package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestWaits(t *testing.T) {
	now := time.Now()
	pod := func(name string, age time.Duration, change func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(now.Add(-age))}, Status: corev1.PodStatus{Phase: corev1.PodPending}}
		change(p)
		return p
	}
	unschedulable := func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
			Reason: "Unschedulable", Message: "0/1 nodes are available:\n1 Insufficient cpu."}}
	}
	unpullable := func(p *corev1.Pod) {
		p.Spec.NodeName = "n"
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: executorContainer, State: corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "not found"}}}}
	}
	runs := func(p *corev1.Pod) {
		p.Spec.NodeName, p.Spec.Containers = "n", []corev1.Container{{Name: executorContainer}}
		p.Status.Phase = corev1.PodRunning
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: executorContainer, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
	}
	const long = executorsAfter + time.Second
	for _, tc := range []struct {
		name string
		pods []*corev1.Pod
		want string
	}{
		{"none", nil, ""},
		{"not for long", []*corev1.Pod{pod("a", time.Second, unschedulable)}, ""},
		{"runs", []*corev1.Pod{pod("a", long, runs)}, ""},
		{"no room", []*corev1.Pod{pod("b", long, unschedulable), pod("a", long, runs)}, "1 of 2 executors wait: Unschedulable: 0/1 nodes are available: 1 Insufficient cpu."},
		{"the first says why", []*corev1.Pod{pod("b", long, unschedulable), pod("a", long, unpullable)}, "2 of 2 executors wait: ImagePullBackOff: not found"},
		{"nobody says why", []*corev1.Pod{pod("a", long, func(*corev1.Pod) {})}, "1 of 1 executors wait"},
	} {
		t.Run(tc.name, func(t *testing.T) { assert.Equal(t, tc.want, waits(tc.pods, now)) })
	}
}
