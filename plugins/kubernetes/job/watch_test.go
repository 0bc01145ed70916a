package job

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/durationpb"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	testkube "github.com/stephost/stephost/test/kube"
)

func TestWatchTellsTheLifeOfAJob(t *testing.T) {
	h := newHarness(t)
	s := h.step("life")
	handle := h.accepted(s)
	w := h.watch(s.Key, handle)
	waits := w.phase(operatorv1.Phase_PHASE_QUEUED, "Unschedulable")
	assert.Contains(t, waits.Message, "no nodes available")
	pod := h.pods(s.Key, 1)[0]
	h.bind(pod, "n1")
	w.status("provisioning", func(s *operatorv1.Status) bool { return s.Phase == operatorv1.Phase_PHASE_PROVISIONING })
	h.running(pod)
	w.phase(operatorv1.Phase_PHASE_RUNNING, "")
	h.exited(pod, 7, "Error")
	end := w.end()
	assert.Equal(t, operatorv1.Phase_PHASE_FAILED, end.Phase)
	assert.Equal(t, operatorv1.Class_CLASS_USER, end.Class)
	assert.EqualValues(t, 7, end.GetExitCode())
	assert.NotNil(t, end.StartedAt)
	assert.NotNil(t, end.EndedAt)

	again := h.watch(s.Key, handle).end()
	assert.Equal(t, end.Phase, again.Phase)
	assert.Equal(t, end.ExitCode, again.ExitCode)
	// The Job's own condition keeps the code when the pod is gone.
	h.wait("the Job controller", func() bool { return condition(h.job(s.Key), "Failed") != nil })
	require.NoError(t, h.api.DeletePod(h.ctx(), pod.Name, pod.UID, 0))
	h.pods(s.Key, 0)
	without := h.watch(s.Key, handle).end()
	assert.Equal(t, operatorv1.Class_CLASS_USER, without.Class)
	assert.EqualValues(t, 7, without.GetExitCode())
	assert.Equal(t, operatorv1.Phase_PHASE_FAILED, h.findKey(s.Key).Jobs[0].Phase)
}

func TestABadImageEndsTheJob(t *testing.T) {
	h := newHarness(t)
	s := h.step("image")
	handle := h.accepted(s)
	w := h.watch(s.Key, handle)
	pod := h.pods(s.Key, 1)[0]
	h.bind(pod, "n1")
	waiting := func(reason string) {
		h.status(pod, map[string]any{"phase": "Pending", "containerStatuses": containerIs(map[string]any{"waiting": map[string]any{"reason": reason, "message": "no such image"}})})
	}
	waiting("ErrImagePull")
	w.phase(operatorv1.Phase_PHASE_PROVISIONING, "ErrImagePull")
	waiting("ImagePullBackOff")
	w.phase(operatorv1.Phase_PHASE_CANCELLING, "ImagePullBackOff")
	h.endDeleted(s.Key)
	end := w.end()
	assert.Equal(t, operatorv1.Phase_PHASE_FAILED, end.Phase)
	assert.Equal(t, operatorv1.Class_CLASS_CONFIG, end.Class)
	assert.Equal(t, "ImagePullBackOff", end.Reason)
	assert.Contains(t, end.Message, "no such image")
	again := h.watch(s.Key, handle).end()
	assert.Equal(t, end.Reason, again.Reason)
}

func TestPodStartupTimeout(t *testing.T) {
	h := newHarness(t)
	s := h.step("startup")
	// Longer than a scheduler on a busy machine needs to say that there is no node.
	s.Settings = settingsOf(map[string]any{"pod_startup_timeout": "10s"})
	handle := h.accepted(s)
	w := h.watch(s.Key, handle)
	w.phase(operatorv1.Phase_PHASE_QUEUED, "Unschedulable")
	end := w.end()
	assert.Equal(t, operatorv1.Phase_PHASE_FAILED, end.Phase)
	assert.Equal(t, operatorv1.Class_CLASS_CAPACITY, end.Class)
	assert.Equal(t, "Unschedulable", end.Reason)
	assert.Contains(t, end.Message, "pod_startup_timeout")
}

// A Job that gets no pods says why: only its events know.
func TestAJobWithoutPodsSaysWhy(t *testing.T) {
	h := newHarness(t)
	h.kubectl("label", "namespace", h.namespace, "pod-security.kubernetes.io/enforce=restricted")
	good := h.step("good")
	h.accepted(good)
	h.pods(good.Key, 1)

	s := h.step("bad")
	s.Settings = settingsOf(map[string]any{"pod_security": "privileged"})
	handle := h.accepted(s)
	w := h.watch(s.Key, handle)
	st := w.phase(operatorv1.Phase_PHASE_QUEUED, "FailedCreate")
	assert.Contains(t, st.Message, "PodSecurity")
}

func TestCancel(t *testing.T) {
	h := newHarness(t)
	s := h.step("cancel")
	handle := h.accepted(s)
	w := h.watch(s.Key, handle)
	pod := h.pods(s.Key, 1)[0]
	h.bind(pod, "n1")
	h.running(pod)
	w.phase(operatorv1.Phase_PHASE_RUNNING, "")
	for range 2 {
		require.NotNil(t, h.cancel(s.Key, handle).GetAccepted())
	}
	w.phase(operatorv1.Phase_PHASE_CANCELLING, "Cancelled")
	h.wait("the pod's deletion", func() bool { return h.pods(s.Key, 1)[0].DeletionTimestamp != nil })
	assert.EqualValues(t, 5, *h.pods(s.Key, 1)[0].DeletionGracePeriodSeconds, "the grace of the cancel, not of the pod")
	select {
	case e := <-w.events:
		require.Nil(t, e.GetTerminal(), "the pod is still there: %v", e)
	case <-time.After(300 * time.Millisecond):
	}
	h.endDeleted(s.Key)
	assert.Equal(t, operatorv1.Phase_PHASE_CANCELLED, w.end().Phase)
	assert.Equal(t, operatorv1.Phase_PHASE_CANCELLED, h.watch(s.Key, handle).end().Phase, "the proof stays")
	require.NotNil(t, h.cancel(s.Key, handle).GetAlreadyOver())
	h.wait("the Job controller", func() bool { return condition(h.job(s.Key), "Failed") != nil })
	assert.Equal(t, operatorv1.Phase_PHASE_CANCELLED, h.findKey(s.Key).Jobs[0].Phase)
}

func TestCancelOfAPodThatWaits(t *testing.T) {
	h := newHarness(t)
	s := h.step("early")
	handle := h.accepted(s)
	require.NotNil(t, h.cancel(s.Key, handle).GetAccepted())
	assert.Equal(t, operatorv1.Phase_PHASE_CANCELLED, h.watch(s.Key, handle).end().Phase)
	h.pods(s.Key, 0)
}

func TestADeletedJobIsLost(t *testing.T) {
	h := newHarness(t)
	s := h.step("lost")
	handle := h.accepted(s)
	w := h.watch(s.Key, handle)
	w.phase(operatorv1.Phase_PHASE_QUEUED, "Unschedulable")
	h.kubectl("delete", "job", h.job(s.Key).Name, "-n", h.namespace)
	assert.Equal(t, operatorv1.Phase_PHASE_LOST, w.end().Phase)
	assert.Equal(t, operatorv1.FindResponse_OUTCOME_ABSENT, h.findKey(s.Key).Outcome)
	// Another Job of the same name is not ours.
	h.accepted(s)
	assert.Equal(t, operatorv1.Phase_PHASE_LOST, h.watch(s.Key, handle).end().Phase)
	require.NotNil(t, h.cancel(s.Key, handle).GetAlreadyOver())
}

func TestCleanup(t *testing.T) {
	h := newHarness(t)
	s := h.secretStep("cleanup")
	handle := h.accepted(s)
	clean := func(what operatorv1.CleanupRequest_What) *operatorv1.CleanupResponse {
		r, err := h.client.Cleanup(h.ctx(), &operatorv1.CleanupRequest{Target: h.target, Handle: handle, Key: s.Key, What: what})
		require.NoError(t, err)
		require.Nil(t, r.CouldNotAsk, "%v", r)
		return r
	}
	require.NotEmpty(t, clean(operatorv1.CleanupRequest_WHAT_RECORD).Diagnostics, "a living Job is left alone")
	pod := h.pods(s.Key, 1)[0]
	h.bind(pod, "n1")
	h.exited(pod, 0, "Completed")
	require.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, h.watch(s.Key, handle).end().Phase)
	for range 2 {
		require.Empty(t, clean(operatorv1.CleanupRequest_WHAT_LEFTOVERS).Diagnostics)
		_, err := h.api.Secret(h.ctx(), jobName("stephost", s.Key))
		assert.True(t, apierrors.IsNotFound(err))
	}
	assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, h.watch(s.Key, handle).end().Phase)
	for range 2 {
		require.Empty(t, clean(operatorv1.CleanupRequest_WHAT_RECORD).Diagnostics)
	}
	h.endDeleted(s.Key)
	h.wait("the Job to go", func() bool { return h.findKey(s.Key).Outcome == operatorv1.FindResponse_OUTCOME_ABSENT })
	require.Empty(t, clean(operatorv1.CleanupRequest_WHAT_RECORD).Diagnostics)
}

// Many runs share two watches.
func TestManyRunsShareTheWatches(t *testing.T) {
	h := newHarness(t)
	const runs = 60
	watches := make([]*watching, runs)
	for i := range runs {
		s := h.step(fmt.Sprint("many", i))
		watches[i] = h.watch(s.Key, h.accepted(s))
	}
	for _, w := range watches {
		w.phase(operatorv1.Phase_PHASE_QUEUED, "Unschedulable")
	}
	h.flavor.mu.Lock()
	defer h.flavor.mu.Unlock()
	for _, hub := range h.flavor.hubs {
		lists, opened := hub.Calls()
		t.Logf("%d runs: %d watches, %d list calls", runs, opened, lists)
		assert.LessOrEqual(t, opened, 4, "two, and two that the API server may have ended")
		assert.LessOrEqual(t, lists, 2*runs+20)
	}
}

// An API server that is away is neither a verdict nor a loss, and what happened
// meanwhile is told when it is back.
func TestAPIServerIsAway(t *testing.T) {
	cluster(t) // skips where there can be none
	up := testkube.ControlPlane(t)
	h := newHarnessOn(t, up)
	s := h.step("away")
	handle := h.accepted(s)
	w := h.watch(s.Key, handle)
	w.phase(operatorv1.Phase_PHASE_QUEUED, "Unschedulable")
	up.Kill(t, testkube.APIServer)
	for e := range w.events {
		require.Nil(t, e.GetTerminal(), "%v", e)
		if r := e.GetReachability(); r != nil {
			require.False(t, r.Reachable)
			require.Equal(t, operatorv1.CouldNotAsk_REASON_UNREACHABLE, r.CouldNotAsk.Reason, "%v", r)
			break
		}
	}
	r, err := h.client.Find(h.ctx(), &operatorv1.FindRequest{Target: h.target, By: &operatorv1.FindRequest_Key{Key: s.Key}})
	require.NoError(t, err)
	assert.NotNil(t, r.CouldNotAsk, "%v", r)
	up.Restart(t, testkube.APIServer)
	h.wait("a reader", func() bool { _, err := h.api.Job(h.ctx(), jobName("stephost", s.Key)); return err == nil })
	pod := h.pods(s.Key, 1)[0]
	h.bind(pod, "n1")
	h.exited(pod, 0, "Completed")
	assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, w.end().Phase)
}

func TestPreflight(t *testing.T) {
	h := newHarness(t)
	check := func(target *operatorv1.Target, s *operatorv1.Step) []*operatorv1.Diagnostic {
		r, err := h.client.Validate(h.ctx(), &operatorv1.ValidateRequest{Target: target, Step: s, Online: true})
		require.NoError(t, err)
		return r.Diagnostics
	}
	assert.Empty(t, check(h.target, nil))
	assert.Empty(t, check(h.target, h.step("fine")))

	found := check(h.targetOf(map[string]any{"namespace": "nowhere"}), nil)
	require.Len(t, found, 1)
	assert.Equal(t, []string{"config", "namespace"}, found[0].Attribute)
	assert.Contains(t, found[0].Summary, "kubectl create namespace nowhere")

	found = check(h.targetOf(map[string]any{"context": "limited"}), nil)
	require.Len(t, found, 1)
	assert.Equal(t, operatorv1.Class_CLASS_AUTH, found[0].Class)
	for _, p := range needed(true, true) {
		assert.Contains(t, found[0].Summary+found[0].Detail, p.String())
	}

	s := h.step("gpu")
	s.Resources = &operatorv1.Resources{Gpu: 4}
	s.Settings = settingsOf(map[string]any{"service_account": "nobody", "image_pull_secrets": []any{"none"}})
	found = check(h.target, s)
	var at []string
	for _, d := range found {
		at = append(at, strings.Join(d.Attribute, "."))
	}
	assert.ElementsMatch(t, []string{"settings.service_account", "settings.image_pull_secrets", "settings.node_selector"}, at)
}

func TestHeartbeatsNeedNoFurtherCalls(t *testing.T) {
	h := newHarness(t)
	s := h.step("beat")
	stream, err := h.client.Watch(h.ctx(), &operatorv1.WatchRequest{Target: h.target, Handle: h.accepted(s), Key: s.Key, HeartbeatInterval: durationpb.New(100 * time.Millisecond)})
	require.NoError(t, err)
	for beats := 0; beats < 3; {
		e, err := stream.Recv()
		require.NoError(t, err)
		if e.GetHeartbeat() != nil {
			beats++
		}
	}
}
