package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"github.com/stephost/stephost/test/cloudfake"
)

// own tells whether the fake has the run's own secret.
func (h *harness) own(s *operatorv1.Step) bool {
	h.T.Helper()
	for _, name := range h.told(s.Key).Names {
		if strings.HasSuffix(name, "/"+secretName(s.Key)) {
			return true
		}
	}
	return false
}

func (h *harness) cleanup(s *operatorv1.Step, handle *operatorv1.Handle, what operatorv1.CleanupRequest_What) *operatorv1.CleanupResponse {
	h.T.Helper()
	r, err := h.Plugin.Cleanup(h.Ctx(), &operatorv1.CleanupRequest{Target: h.Target, Handle: handle, Key: s.Key, What: what})
	require.NoError(h.T, err)
	return r
}

// TestTheSecretGoes: the run's own secret is removed behind its end, and not
// before; also where the answer to Submit was lost, and the handle is from Find.
func TestTheSecretGoes(t *testing.T) {
	h := newHarness(t)
	s := h.Step("secret", "sleep 2")
	s.Secrets = map[string]*operatorv1.Secret{"HF_TOKEN": {Value: "hunter2"}}
	h.Rule("SandboxCreateV2", 1, cloudfake.Fault{Kind: cloudfake.ReplyLost})
	require.NotNil(t, h.Submit(s).GetUncertain())
	found := h.FindKey(s.Key)
	require.Len(t, found.Jobs, 1, "%v", found)
	handle := found.Jobs[0].Handle
	require.True(t, h.own(s))
	require.NotEmpty(t, h.cleanup(s, handle, operatorv1.CleanupRequest_WHAT_LEFTOVERS).Diagnostics, "the sandbox runs")
	require.True(t, h.own(s))
	h.Watch(s.Key, handle)
	for range 2 {
		assert.Empty(t, h.cleanup(s, handle, operatorv1.CleanupRequest_WHAT_LEFTOVERS).Diagnostics)
	}
	assert.False(t, h.own(s))

	plain := h.Step("plain", "true")
	h.Watch(plain.Key, h.Accepted(plain))
	assert.False(t, h.own(plain), "the newer backend needs none for what is not secret")
}

// TestARefusedRequestLeavesNoSecret: what Modal refuses for what it says is not
// sent again, and nobody would come back for its secret.
func TestARefusedRequestLeavesNoSecret(t *testing.T) {
	h := newHarness(t)
	s := h.on("v1", h.Step("refused", "true"))
	prepared, _ := h.Prepare(s)
	submit := func() *operatorv1.SubmitResponse {
		r, err := h.Plugin.Submit(h.Ctx(), &operatorv1.SubmitRequest{Target: h.Target, Step: s, Prepared: prepared, RequestDigest: strings.Repeat("0a", 32)})
		require.NoError(t, err)
		return r
	}
	// The image was deleted in between.
	good := prepared
	prepared = []byte(strings.Replace(string(prepared), `"image":"im-`, `"image":"im-gone`, 1))
	r := submit()
	require.NotNil(t, r.GetRejected(), "%v", r)
	assert.Equal(t, operatorv1.Class_CLASS_CONFIG, r.Diagnostics[0].Class)
	assert.Equal(t, 1, h.Counted()["SecretDelete"])
	prepared = good
	h.Watch(s.Key, submit().GetAccepted().GetHandle())
}

// TestTheAppIsStopped when nothing has happened in it for a day, if it is
// stephost's.
func TestTheAppIsStopped(t *testing.T) {
	for app, stopped := range map[string]bool{"stephost-digits": true, "production": false} {
		t.Run(app, func(t *testing.T) {
			h := newHarness(t, "app", app)
			s := h.Step("app", "true")
			handle := h.Accepted(s)
			h.Watch(s.Key, handle)
			other := h.on("v1", h.Step("other", "sleep 600"))
			running := h.Accepted(other)
			record := func() int {
				assert.Empty(t, h.cleanup(s, handle, operatorv1.CleanupRequest_WHAT_RECORD).Diagnostics)
				return h.Counted()["AppStop"]
			}
			assert.Zero(t, record(), "something ran in it just now")
			require.NoError(t, h.Set(h.Ctx(), "age_ms", "90000000"))
			assert.Zero(t, record(), "something still runs in it")
			h.Cancel(other.Key, running)
			h.Watch(other.Key, running)
			assert.Equal(t, stopped, record() == 1)
			if stopped {
				record() // again
				next := h.Step("next", "true")
				end, _ := h.Watch(next.Key, h.Accepted(next))
				assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase, "a launch makes a new app")
			}
		})
	}
}

// TestQuestionsDoNotGrow: what many runs cost that nothing happens to is one list
// for all of them.
func TestQuestionsDoNotGrow(t *testing.T) {
	const during = 5 * time.Second
	asked := func(n int) (lists, waits int) {
		h := newHarness(t)
		grown := time.Now().Add(during)
		calls := h.Watched(n, func(map[string]int) bool { return time.Now().After(grown) }, during)
		return calls["SandboxListV2"] + calls["SandboxList"], calls["SandboxWaitV2"]
	}
	few, _ := asked(3)
	many, waits := asked(60)
	t.Logf("lists in %s: %d for 3 runs, %d for 60", during, few, many)
	assert.Zero(t, waits, "nobody is asked for alone while nothing changes")
	// 60 sandboxes are two pages and an empty one, 3 are one and an empty one. The
	// pace depends on how old the runs are, and 60 are not equally old.
	assert.LessOrEqual(t, many/3, 2*(few/2)+10, "lists of all pages")
}
