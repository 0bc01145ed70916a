package job

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

func TestSubmitMakesOneJob(t *testing.T) {
	h := newHarness(t)
	s := h.step("one")
	first := h.submit(s)
	require.NotNil(t, first.GetAccepted(), "%v", first)
	assert.False(t, first.GetAccepted().Existing)
	second := h.submit(s)
	require.NotNil(t, second.GetAccepted(), "%v", second)
	assert.True(t, second.GetAccepted().Existing)
	assert.Equal(t, first.GetAccepted().Handle.Data, second.GetAccepted().Handle.Data)

	job := h.job(s.Key)
	assert.False(t, suspended(job), "nothing follows this Job, so it begins at once")
	assert.EqualValues(t, 0, *job.Spec.BackoffLimit)
	assert.Equal(t, batchv1.Failed, *job.Spec.PodReplacementPolicy)
	assert.GreaterOrEqual(t, *job.Spec.TTLSecondsAfterFinished, int32(7*24*3600))
	assert.Equal(t, s.Key, h.pods(s.Key, 1)[0].Labels[labelKey])

	r, err := h.client.Submit(h.ctx(), &operatorv1.SubmitRequest{Target: h.target, Step: s, RequestDigest: strings.Repeat("1", 64)})
	require.NoError(t, err)
	require.NotNil(t, r.GetRejected(), "%v", r)
	assert.Equal(t, operatorv1.Class_CLASS_CONFIG, r.Diagnostics[0].Class)
}

func TestSubmitsAtTheSameTime(t *testing.T) {
	h := newHarness(t)
	s := h.secretStep("race")
	var all sync.WaitGroup
	results := make([]*operatorv1.SubmitResponse, 8)
	for i := range results {
		all.Go(func() {
			r, err := h.client.Submit(context.Background(), &operatorv1.SubmitRequest{Target: h.target, Step: s, RequestDigest: digest()})
			if assert.NoError(t, err) {
				results[i] = r
			}
		})
	}
	all.Wait()
	fresh := 0
	for _, r := range results {
		require.NotNil(t, r.GetAccepted(), "%v", r)
		assert.Equal(t, results[0].GetAccepted().Handle.Data, r.GetAccepted().Handle.Data)
		if !r.GetAccepted().Existing {
			fresh++
		}
	}
	assert.Equal(t, 1, fresh)
	job := h.job(s.Key)
	assert.False(t, incomplete(job))
	assert.False(t, suspended(job))
	h.pods(s.Key, 1)
}

func (h *harness) secretStep(token string) *operatorv1.Step {
	s := h.step(token)
	s.Secrets = map[string]*operatorv1.Secret{"HF_TOKEN": {Value: "s3cr3t"}, "odd name": {Value: "0dd"}}
	return s
}

func TestTheSecretBelongsToTheJob(t *testing.T) {
	h := newHarness(t)
	s := h.secretStep("secret")
	h.accepted(s)
	job := h.job(s.Key)
	secret, err := h.api.Secret(h.ctx(), job.Name)
	require.NoError(t, err)
	require.Len(t, secret.OwnerReferences, 1)
	assert.Equal(t, job.UID, secret.OwnerReferences[0].UID)
	assert.Equal(t, "s3cr3t", string(secret.Data["HF_TOKEN"]))
	assert.NotContains(t, h.kubectl("get", "job", job.Name, "-n", h.namespace, "-o", "yaml"), "s3cr3t")
	pod := h.pods(s.Key, 1)[0]
	refs := secretRefs(pod.Spec.Containers, job.Name)
	assert.Equal(t, []string{"HF_TOKEN", "odd name"}, refs)
}

// half is what a Submit leaves that died behind its creating call.
func (h *harness) half(s *operatorv1.Step) {
	h.t.Helper()
	file := filepath.Join(h.t.TempDir(), "job.yaml")
	r, err := h.client.Plan(h.ctx(), &operatorv1.PlanRequest{Target: h.target, Step: s})
	require.NoError(h.t, err)
	text := strings.Split(r.Request, "---\n")[0]
	text = strings.Replace(text, noteDigest+`: ""`, noteDigest+`: "`+digest()+`"`, 1)
	require.NoError(h.t, os.WriteFile(file, []byte(text), 0o600))
	h.kubectl("create", "-f", file)
}

func TestAHalfMadeJobIsFinished(t *testing.T) {
	h := newHarness(t)
	s := h.secretStep("half")
	h.half(s)
	found := h.findKey(s.Key)
	require.Len(t, found.Jobs, 1)
	assert.True(t, found.Jobs[0].Incomplete)
	assert.Equal(t, operatorv1.Phase_PHASE_QUEUED, found.Jobs[0].Phase)
	w := h.watch(s.Key, found.Jobs[0].Handle)
	w.phase(operatorv1.Phase_PHASE_QUEUED, "Incomplete")

	r := h.submit(s)
	require.NotNil(t, r.GetAccepted(), "%v", r)
	assert.True(t, r.GetAccepted().Existing)
	assert.False(t, h.findKey(s.Key).Jobs[0].Incomplete)
	h.pods(s.Key, 1)
	w.phase(operatorv1.Phase_PHASE_QUEUED, "Unschedulable")
}

// A cancel that comes before the Job was finished holds: the next Submit begins
// nothing.
func TestAHalfMadeJobIsCancelled(t *testing.T) {
	h := newHarness(t)
	s := h.secretStep("half")
	h.half(s)
	found := h.findKey(s.Key)
	require.NotNil(t, h.cancel(s.Key, found.Jobs[0].Handle).GetAccepted())
	assert.Equal(t, operatorv1.Phase_PHASE_CANCELLED, h.watch(s.Key, found.Jobs[0].Handle).end().Phase)
	r := h.submit(s)
	require.NotNil(t, r.GetAccepted(), "%v", r)
	found = h.findKey(s.Key)
	assert.False(t, found.Jobs[0].Incomplete)
	assert.Equal(t, operatorv1.Phase_PHASE_CANCELLED, found.Jobs[0].Phase)
	_, err := h.api.Secret(h.ctx(), jobName("stephost", s.Key))
	assert.True(t, apierrors.IsNotFound(err))
	h.pods(s.Key, 0)
	require.NotNil(t, h.cancel(s.Key, found.Jobs[0].Handle).GetAlreadyOver())
}

func TestSubmitRefusals(t *testing.T) {
	h := newHarness(t)
	submit := func(target *operatorv1.Target, s *operatorv1.Step) *operatorv1.SubmitResponse {
		r, err := h.client.Submit(h.ctx(), &operatorv1.SubmitRequest{Target: target, Step: s, RequestDigest: digest()})
		require.NoError(t, err)
		return r
	}
	t.Run("a namespace that is not there", func(t *testing.T) {
		r := submit(h.targetOf(map[string]any{"namespace": "nowhere"}), h.step("nowhere"))
		require.NotNil(t, r.GetRejected(), "%v", r)
		assert.Equal(t, operatorv1.Class_CLASS_CONFIG, r.Diagnostics[0].Class)
		assert.Contains(t, r.Diagnostics[0].Summary, "nowhere")
	})
	t.Run("what the API server calls invalid", func(t *testing.T) {
		s := h.step("invalid")
		s.Settings = settingsOf(map[string]any{"volume_mounts": []any{map[string]any{"name": "no-such-volume", "mount_path": "/x"}}})
		r := submit(h.target, s)
		require.NotNil(t, r.GetRejected(), "%v", r)
		assert.Equal(t, operatorv1.Class_CLASS_CONFIG, r.Diagnostics[0].Class)
		assert.Contains(t, r.Diagnostics[0].Summary+r.Diagnostics[0].Detail, "no-such-volume")
	})
	t.Run("no room for another Job", func(t *testing.T) {
		h.kubectl("create", "quota", "jobs", "-n", h.namespace, "--hard=count/jobs.batch=0")
		h.wait("the quota to be counted", func() bool {
			return strings.Contains(h.kubectl("get", "quota", "jobs", "-n", h.namespace, "-o", "jsonpath={.status.hard}"), "jobs.batch")
		})
		r := submit(h.target, h.step("quota"))
		require.NotNil(t, r.GetRejected(), "%v", r)
		assert.Equal(t, operatorv1.Class_CLASS_CAPACITY, r.Diagnostics[0].Class)
		h.kubectl("delete", "quota", "jobs", "-n", h.namespace)
	})
	t.Run("credentials that may not", func(t *testing.T) {
		r := submit(h.targetOf(map[string]any{"context": "limited"}), h.step("limited"))
		require.NotNil(t, r.GetNotSent(), "%v", r)
		assert.Equal(t, operatorv1.CouldNotAsk_REASON_AUTH, r.GetNotSent().CouldNotAsk.Reason)
	})
	t.Run("no server", func(t *testing.T) {
		target := h.targetOf(map[string]any{"kubeconfig": h.elsewhere("https://127.0.0.1:1")})
		r := submit(target, h.step("unreachable"))
		require.NotNil(t, r.GetNotSent(), "%v", r)
		assert.Equal(t, operatorv1.CouldNotAsk_REASON_UNREACHABLE, r.GetNotSent().CouldNotAsk.Reason)
	})
	t.Run("no such context", func(t *testing.T) {
		r := submit(h.targetOf(map[string]any{"context": "no-such"}), h.step("context"))
		require.NotNil(t, r.GetRejected(), "%v", r)
		assert.Equal(t, operatorv1.Class_CLASS_CONFIG, r.Diagnostics[0].Class)
	})
}

// elsewhere is a kubeconfig for another server.
func (h *harness) elsewhere(server string) string {
	h.t.Helper()
	file := filepath.Join(h.t.TempDir(), "kubeconfig")
	text, err := os.ReadFile(h.up.Kubeconfig)
	require.NoError(h.t, err)
	require.Contains(h.t, string(text), h.up.Server)
	require.NoError(h.t, os.WriteFile(file, []byte(strings.ReplaceAll(string(text), h.up.Server, server)), 0o600))
	return file
}

func TestFind(t *testing.T) {
	h := newHarness(t)
	token := "any string: \"é\" /\n😀"
	first, second, other := h.step(token), h.step(token), h.step("other")
	second.Attempt, second.Key = 2, keyOf(token, 2)
	for _, s := range []*operatorv1.Step{first, second, other} {
		h.accepted(s)
	}
	found := h.find(&operatorv1.FindRequest{By: &operatorv1.FindRequest_RunToken{RunToken: token}})
	require.Len(t, found.Jobs, 2)
	for _, j := range found.Jobs {
		assert.Equal(t, keyOf(token, int(j.Attempt)), j.Key)
		assert.Equal(t, first.RunId, j.RunId)
		assert.Equal(t, digest(), j.RequestDigest)
		assert.False(t, j.Incomplete)
		assert.NotNil(t, j.CreatedAt)
	}
	assert.Len(t, h.findKey(other.Key).Jobs, 1)
	assert.Equal(t, operatorv1.FindResponse_OUTCOME_ABSENT, h.findKey(keyOf("nobody", 1)).Outcome)

	gone := h.targetOf(map[string]any{"namespace": "nowhere"})
	r, err := h.client.Find(h.ctx(), &operatorv1.FindRequest{Target: gone, By: &operatorv1.FindRequest_Key{Key: other.Key}})
	require.NoError(t, err)
	assert.NotNil(t, r.CouldNotAsk, "a namespace that is not there says nothing about a run")
	gone.Scope = h.target.Scope
	r, err = h.client.Find(h.ctx(), &operatorv1.FindRequest{Target: gone, By: &operatorv1.FindRequest_Key{Key: other.Key}})
	require.NoError(t, err)
	assert.Equal(t, operatorv1.CouldNotAsk_REASON_WRONG_SCOPE, r.GetCouldNotAsk().GetReason(), "%v", r)
}

// kubectl takes what a plan shows.
func TestKubectlTakesThePlan(t *testing.T) {
	h := newHarness(t)
	for name, s := range map[string]*operatorv1.Step{"small": h.step("plan"), "secret": h.secretStep("plan"), "everything": everything()} {
		t.Run(name, func(t *testing.T) {
			r, err := h.client.Plan(h.ctx(), &operatorv1.PlanRequest{Step: s, Target: h.targetOf(map[string]any{"gpu_type_labels": map[string]any{"t4": map[string]any{"gpu": "t4"}}})})
			require.NoError(t, err)
			require.Empty(t, r.Diagnostics)
			if name == "everything" {
				h.kubectl("create", "priorityclass", "high", "--value=1000")
				t.Cleanup(func() { h.kubectl("delete", "priorityclass", "high") })
			}
			cmd := h.up.Kubectl(h.ctx(), "apply", "--dry-run=server", "-f", "-")
			cmd.Stdin = strings.NewReader(r.Request)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s\n%s", out, r.Request)
			assert.NotContains(t, string(out), "Warning", "%s", out)
		})
	}
}

func TestNodes(t *testing.T) {
	h := newHarness(t)
	s := h.secretStep("nodes")
	s.Resources = &operatorv1.Resources{Nodes: 2}
	handle := h.accepted(s)
	job := h.job(s.Key)
	service, err := h.api.Service(h.ctx(), job.Name)
	require.NoError(t, err)
	assert.Equal(t, job.UID, service.OwnerReferences[0].UID)
	assert.Equal(t, "None", service.Spec.ClusterIP)
	pods := h.pods(s.Key, 2)
	for i, pod := range pods {
		assert.Equal(t, i, rank(pod))
		assert.Equal(t, service.Spec.Selector[labelKey], pod.Labels[labelKey])
		assert.Equal(t, job.Name, pod.Spec.Subdomain)
		assert.Equal(t, job.Name+"-"+string(rune('0'+i)), pod.Spec.Hostname)
	}
	w := h.watch(s.Key, handle)
	for _, pod := range pods {
		h.bind(pod, "n1")
		h.running(pod)
	}
	w.phase(operatorv1.Phase_PHASE_RUNNING, "")
	h.exited(pods[0], 0, "Completed")
	h.exited(pods[1], 0, "Completed")
	assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, w.end().Phase)
}
