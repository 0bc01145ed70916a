package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/stephost/stephost/plugins/vertex/internal/fake"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/cloudtest"
)

// TestClasses: what ends a job decides about retries.
func TestClasses(t *testing.T) {
	h := newHarness(t, false)
	for name, c := range map[string]struct {
		life   cloudfake.Life
		script string
		change func(s *operatorv1.Step)
		class  operatorv1.Class
		reason string
		code   int32
	}{
		"user":       {script: "exit 7", class: operatorv1.Class_CLASS_USER, reason: "NonZeroExit", code: 7},
		"capacity":   {life: cloudfake.Life{NoCapacity: true}, class: operatorv1.Class_CLASS_CAPACITY, reason: "ResourcesInsufficient"},
		"no image":   {life: cloudfake.Life{NoImage: true}, class: operatorv1.Class_CLASS_CONFIG, reason: "ImagePullFailed"},
		"system":     {life: cloudfake.Life{Broken: true}, class: operatorv1.Class_CLASS_SYSTEM, reason: "Internal"},
		"not a file": {change: func(s *operatorv1.Step) { s.Argv = []string{"/no/such/file"} }, class: operatorv1.Class_CLASS_USER, reason: "NonZeroExit", code: 127},
		"preempted": {life: cloudfake.Life{PreemptAfterMS: 50}, script: "sleep 60", class: operatorv1.Class_CLASS_PREEMPTED, reason: "Preempted",
			change: func(s *operatorv1.Step) {
				s.Settings = h.Settings(map[string]any{"scheduling_strategy": "SPOT"})
			}},
		"timeout": {script: "sleep 60", class: operatorv1.Class_CLASS_TIMEOUT, reason: "Timeout",
			change: func(s *operatorv1.Step) {
				s.Deadlines = &operatorv1.Deadlines{Run: durationpb.New(200 * time.Millisecond)}
			}},
	} {
		t.Run(name, func(t *testing.T) {
			h.Life(c.life)
			s := h.Step("class "+name, c.script)
			if c.change != nil {
				c.change(s)
			}
			end, _ := h.Watch(s.Key, h.Accepted(s))
			assert.Equal(t, operatorv1.Phase_PHASE_FAILED, end.Phase)
			assert.Equal(t, c.class, end.Class, "%v", end)
			assert.Equal(t, c.reason, end.Reason)
			assert.NotEmpty(t, end.Message)
			assert.Equal(t, c.code, end.GetExitCode())
		})
	}
}

// TestPhases: queue and provisioning are seen, with why.
func TestPhases(t *testing.T) {
	h := newHarness(t, false)
	h.Life(cloudfake.Life{QueuedMS: 400, ProvisioningMS: 600})
	s := h.Step("phases", "sleep 1")
	end, seen := h.Watch(s.Key, h.Accepted(s))
	assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase)
	require.NotNil(t, end.StartedAt)
	var phases []operatorv1.Phase
	for _, e := range seen {
		if st := e.GetStatus(); st != nil && (len(phases) == 0 || phases[len(phases)-1] != st.Phase) {
			phases = append(phases, st.Phase)
			assert.Contains(t, st.Url, "console.cloud.google.com/vertex-ai/locations/europe-west1/training/")
		}
	}
	assert.Equal(t, []operatorv1.Phase{operatorv1.Phase_PHASE_QUEUED, operatorv1.Phase_PHASE_PROVISIONING, operatorv1.Phase_PHASE_RUNNING}, phases)
}

// TestRefusals: what Create certainly refused is over, or is sent again; what it
// leaves open is looked for. In each case the key can be used again after a
// refusal, also with a marker.
func TestRefusals(t *testing.T) {
	for name, bucket := range map[string]bool{"labels": false, "markers": true} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, bucket)
			for kind, c := range map[cloudfake.Kind]struct {
				rejected bool
				class    operatorv1.Class
				ask      operatorv1.CouldNotAsk_Reason
			}{
				cloudfake.Quota:     {rejected: true, class: operatorv1.Class_CLASS_CAPACITY},
				cloudfake.Capacity:  {rejected: true, class: operatorv1.Class_CLASS_CAPACITY},
				cloudfake.Denied:    {ask: operatorv1.CouldNotAsk_REASON_AUTH},
				cloudfake.Expired:   {ask: operatorv1.CouldNotAsk_REASON_AUTH},
				cloudfake.Throttled: {ask: operatorv1.CouldNotAsk_REASON_THROTTLED},
			} {
				s := h.Step("refusal "+string(kind), "true")
				h.Rule("CreateCustomJob", 1, cloudfake.Fault{Kind: kind, RetryAfterMS: 1500})
				r := h.Submit(s)
				if c.rejected {
					require.NotNil(t, r.GetRejected(), "%s: %v", kind, r)
					assert.Equal(t, c.class, r.Diagnostics[0].Class)
				} else {
					require.NotNil(t, r.GetNotSent(), "%s: %v", kind, r)
					assert.Equal(t, c.ask, r.GetNotSent().CouldNotAsk.Reason)
				}
				if kind == cloudfake.Throttled {
					assert.Equal(t, 1500*time.Millisecond, r.GetNotSent().CouldNotAsk.RetryAfter.AsDuration())
				}
				h.Accepted(s)
				require.NoError(t, h.Clear(h.Ctx()))
			}
			for _, kind := range []cloudfake.Kind{cloudfake.Internal, cloudfake.Drop, cloudfake.ReplyLost, cloudfake.LandsLate} {
				s := h.Step("open "+string(kind), "true")
				h.Rule("CreateCustomJob", 1, cloudfake.Fault{Kind: kind, DelayMS: 300})
				r := h.Submit(s)
				require.NotNil(t, r.GetUncertain(), "%s: %v", kind, r)
				require.NoError(t, h.Clear(h.Ctx()))
				lands := kind == cloudfake.ReplyLost || kind == cloudfake.LandsLate
				want := operatorv1.FindResponse_OUTCOME_UNDETERMINED
				if lands {
					want = operatorv1.FindResponse_OUTCOME_FOUND
				}
				require.Eventually(t, func() bool { return h.FindKey(s.Key).Outcome == want }, cloudtest.Hang, 20*time.Millisecond, "%s", kind)
			}
		})
	}
}

// TestMarkerDecides: with a bucket a job that no list shows is found by its
// marker, and a key whose marker another process holds is never created again.
func TestMarkerDecides(t *testing.T) {
	h := newHarness(t, true)
	absent := operatorv1.FindResponse_OUTCOME_ABSENT
	assert.Equal(t, absent, h.FindKey(cloudtest.KeyOf("never", 1)).Outcome, "certain: there is no marker")
	assert.Equal(t, absent, h.Find(&operatorv1.FindRequest{By: &operatorv1.FindRequest_RunToken{RunToken: "never"}}).Outcome)

	h.Life(cloudfake.Life{ListedAfterMS: 600_000})
	s := h.Step("late list", "true")
	h.Accepted(s)
	byKey := h.FindKey(s.Key)
	require.Len(t, byKey.Jobs, 1)
	assert.Equal(t, s.RunId, byKey.Jobs[0].RunId)
	assert.Equal(t, cloudtest.Digest(), byKey.Jobs[0].RequestDigest)
	require.Len(t, h.Find(&operatorv1.FindRequest{By: &operatorv1.FindRequest_RunToken{RunToken: s.RunToken}}).Jobs, 1)

	// The process died between marker and answer, and the list is late.
	h.Life(cloudfake.Life{ListedAfterMS: 600_000})
	h.Rule("CreateCustomJob", 1, cloudfake.Fault{Kind: cloudfake.ReplyLost})
	lost := h.Step("lost", "true")
	require.NotNil(t, h.Submit(lost).GetUncertain())
	assert.Equal(t, operatorv1.FindResponse_OUTCOME_UNDETERMINED, h.FindKey(lost.Key).Outcome)
	require.NotNil(t, h.Submit(lost).GetUncertain(), "somebody may have made it")
	h.JobOf(lost.Key)

	// Another request under the key.
	r, err := h.Plugin.Submit(h.Ctx(), &operatorv1.SubmitRequest{Target: h.Target, Step: s, RequestDigest: strings.Repeat("0b", 32)})
	require.NoError(t, err)
	require.NotNil(t, r.GetRejected(), "%v", r)
	assert.Equal(t, operatorv1.Class_CLASS_CONFIG, r.Diagnostics[0].Class)
	// The same request: the marker leads to the job although no list shows it.
	again := h.Submit(s)
	require.NotNil(t, again.GetAccepted(), "%v", again)
	assert.True(t, again.GetAccepted().Existing)
	h.JobOf(s.Key)
}

// TestManyHostsOneKey: of many that submit one key at the same time one creates
// the job.
func TestManyHostsOneKey(t *testing.T) {
	h := newHarness(t, true)
	s := h.Step("race", "true")
	outcomes := make(chan *operatorv1.SubmitResponse, 20)
	for range cap(outcomes) {
		go func() {
			r, err := h.Plugin.Submit(h.Ctx(), &operatorv1.SubmitRequest{Target: h.Target, Step: s, RequestDigest: cloudtest.Digest()})
			if err != nil {
				r = nil
			}
			outcomes <- r
		}()
	}
	created := 0
	for range cap(outcomes) {
		r := <-outcomes
		require.NotNil(t, r)
		require.Nil(t, r.GetRejected(), "%v", r)
		if a := r.GetAccepted(); a != nil && !a.Existing {
			created++
		}
	}
	assert.Equal(t, 1, created)
	h.JobOf(s.Key)
}

// TestCredentials: a token that ends during a run is renewed; a login that is
// refused is "could not ask" and never a verdict.
func TestCredentials(t *testing.T) {
	c := newBackend(t)
	require.NoError(t, c.Set(t.Context(), "token_seconds", "2"))
	h := newHarnessOf(t, c, c.operator(false))
	s := h.Step("renewed", "sleep 5")
	end, seen := h.Watch(s.Key, h.Accepted(s))
	assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase)
	for _, e := range seen {
		assert.Nil(t, e.GetReachability().GetCouldNotAsk(), "no token was used behind its end")
	}
	calls, err := h.Calls(h.Ctx())
	require.NoError(t, err)
	assert.Greater(t, calls["Token"], 2)

	require.NoError(t, c.Set(t.Context(), "token_seconds", "3600"))
	s = h.Step("revoked", "sleep 3")
	handle := h.Accepted(s)
	h.Rule("Token", 0, cloudfake.Fault{Kind: cloudfake.Expired})
	require.NoError(t, c.Set(t.Context(), "revoke", ""))
	time.AfterFunc(time.Second, func() { _ = c.Clear(t.Context()) })
	end, seen = h.Watch(s.Key, handle)
	assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase)
	auth := false
	for _, e := range seen {
		auth = auth || e.GetReachability().GetCouldNotAsk().GetReason() == operatorv1.CouldNotAsk_REASON_AUTH
	}
	assert.True(t, auth, "it was said why nobody could be asked")
}

// TestDefaultCredentials: the variable of all Google libraries, and gcloud's own
// file in the home of the fixed environment.
func TestDefaultCredentials(t *testing.T) {
	c := newBackend(t)
	operator := c.operator(false)
	delete(operator, "service_account_path")
	delete(operator, "project")
	login := func(name string) {
		t.Run(name, func(t *testing.T) {
			h := newHarnessOf(t, c, operator)
			assert.Equal(t, "gcp:"+fake.Project+":europe-west1", h.Target.Scope.Id)
			s := h.Step("default "+name, "true")
			end, _ := h.Watch(s.Key, h.Accepted(s))
			assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase)
		})
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", c.key)
	login("variable")
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
	t.Setenv("GOOGLE_CLOUD_PROJECT", fake.Project)
	home := t.TempDir()
	t.Setenv("HOME", home)
	dir := filepath.Join(home, ".config", "gcloud")
	require.NoError(t, os.MkdirAll(dir, 0o700))
	require.NoError(t, fake.WriteServiceAccount(filepath.Join(dir, "application_default_credentials.json"), c.URL))
	login("gcloud file")
	require.NoError(t, os.RemoveAll(dir))
	t.Setenv("NO_GCE_CHECK", "true")
	// gcloud alone: its own login, by its command.
	require.NoError(t, os.WriteFile(filepath.Join(home, "gcloud"), fmt.Appendf(nil, `#!/bin/sh
exec curl -s --data-urlencode grant_type=refresh_token --data-urlencode refresh_token=good %s/token | sed 's/.*"access_token":"\([^"]*\)".*/{"credential":{"access_token":"\1"}}/'
`, c.URL), 0o700))
	t.Setenv("PATH", home+":"+os.Getenv("PATH"))
	login("gcloud command")
}

// TestImpersonation: jobs are made as another account.
func TestImpersonation(t *testing.T) {
	c := newBackend(t)
	operator := c.operator(false)
	operator["impersonate_service_account"] = "trainer@" + fake.Project + ".iam.gserviceaccount.com"
	h := newHarnessOf(t, c, operator)
	h.Accepted(h.Step("impersonated", "true"))
	calls, err := h.Calls(h.Ctx())
	require.NoError(t, err)
	assert.Equal(t, 1, calls["GenerateAccessToken"])
}

// TestNodes: every node knows its rank, and its log is a source of its own.
func TestNodes(t *testing.T) {
	h := newHarness(t, false)
	s := h.Step("nodes", `echo "node $STEPHOST_RANK of $STEPHOST_WORLD_SIZE"; env | grep -c CLUSTER_SPEC >&2; [ "$STEPHOST_RANK" = 0 ] && sleep 1; true`)
	s.Resources = &operatorv1.Resources{Nodes: 3}
	handle := h.Accepted(s)
	end, _ := h.Watch(s.Key, handle)
	require.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase, "%v", end)
	got, _ := h.Logs(s.Key, handle, nil)
	for node := range 3 {
		source := fmt.Sprintf("1/0/%d//stdout", node)
		require.Contains(t, got, source)
		assert.Equal(t, fmt.Sprintf("node %d of 3\n", node), got[source].String())
	}
}

// TestOutputs: what the step leaves in the mounted bucket is listed, and goes
// nowhere with the record.
func TestOutputsAndCleanup(t *testing.T) {
	h := newHarness(t, true)
	s := h.Step("outputs", `mkdir -p $STEPHOST_OUTPUT_DIR/deep; printf 12345 > $STEPHOST_OUTPUT_DIR/deep/model.bin; echo $STEPHOST_OUTPUT_URI`)
	handle := h.Accepted(s)
	end, _ := h.Watch(s.Key, handle)
	require.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase, "%v", end)
	require.Len(t, end.Outputs, 1)
	assert.Equal(t, "deep/model.bin", end.Outputs[0].Name)
	assert.Equal(t, "gs://"+fake.Bucket+"/stephost/outputs/"+s.Key+"/deep/model.bin", end.Outputs[0].Location)
	assert.EqualValues(t, 5, end.Outputs[0].Bytes)
	marker := filepath.Join(h.Dir, "gcs", fake.Bucket, "stephost", "keys", s.Key)
	clean := func(what operatorv1.CleanupRequest_What) {
		r, err := h.Plugin.Cleanup(h.Ctx(), &operatorv1.CleanupRequest{Target: h.Target, Handle: handle, Key: s.Key, What: what})
		require.NoError(t, err)
		require.Empty(t, r.Diagnostics)
		require.Nil(t, r.CouldNotAsk, "%v", r)
	}
	clean(operatorv1.CleanupRequest_WHAT_LEFTOVERS)
	assert.FileExists(t, marker)
	for range 2 {
		clean(operatorv1.CleanupRequest_WHAT_RECORD)
		assert.NoFileExists(t, marker)
	}
	assert.FileExists(t, filepath.Join(h.Dir, "gcs", fake.Bucket, "stephost", "outputs", s.Key, "deep", "model.bin"), "outputs are the person's")
	end, _ = h.Watch(s.Key, handle)
	assert.Equal(t, operatorv1.Phase_PHASE_LOST, end.Phase)
	assert.Equal(t, operatorv1.FindResponse_OUTCOME_ABSENT, h.FindKey(s.Key).Outcome)
}

// TestCancelThatNeverEnds is not confirmed, and one that takes long is confirmed
// when it is true.
func TestCancelThatNeverEnds(t *testing.T) {
	h := newHarness(t, false)
	h.Life(cloudfake.Life{CancelNever: true})
	s := h.Step("never", "sleep 60")
	handle := h.Accepted(s)
	require.Eventually(t, func() bool { return h.JobOf(s.Key).Starts == 1 }, cloudtest.Hang, 10*time.Millisecond)
	for range 2 {
		r, err := h.Plugin.Cancel(h.Ctx(), &operatorv1.CancelRequest{Target: h.Target, Handle: handle, Key: s.Key})
		require.NoError(t, err)
		require.NotNil(t, r.GetAccepted(), "%v", r)
	}
	stream, err := h.Plugin.Watch(h.Ctx(), &operatorv1.WatchRequest{Target: h.Target, Handle: handle, Key: s.Key, HeartbeatInterval: durationpb.New(100 * time.Millisecond)})
	require.NoError(t, err)
	beats := 0
	for beats < 5 {
		e, err := stream.Recv()
		require.NoError(t, err)
		require.Nil(t, e.GetTerminal(), "%v", e)
		if e.GetHeartbeat() != nil {
			beats++
		}
	}
	assert.Equal(t, "JOB_STATE_CANCELLING", h.JobOf(s.Key).State)
}
