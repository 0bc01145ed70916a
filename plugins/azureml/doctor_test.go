package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"github.com/stephost/stephost/test/cloudfake"
)

func (h *harness) doctor(s *operatorv1.Step) string {
	r, err := h.client.Validate(h.ctx(), &operatorv1.ValidateRequest{Target: h.target, Step: s, Online: true})
	require.NoError(h.t, err)
	text := ""
	for _, d := range r.Diagnostics {
		text += d.Summary + " " + d.Detail + "\n"
	}
	return text
}

// TestPreflight: doctor finds what a launch would run into.
func TestPreflight(t *testing.T) {
	h := newHarness(t)
	assert.Empty(t, h.doctor(nil))
	assert.Empty(t, h.doctor(h.step("fine", "true")))
	gpu := h.step("gpu", "true")
	gpu.Resources = &operatorv1.Resources{Gpu: 1, GpuType: "v100", Nodes: 2}
	assert.Contains(t, h.doctor(gpu), "2 of Standard_NC6s_v3 need 12 cores of the family standardNCSv3Family, and the subscription has 0 left")
	missing := h.step("missing", "true")
	missing.Settings = values(t, emptySettings(), map[string]any{"compute_name": "nothing"})
	assert.Contains(t, h.doctor(missing), "has no compute nothing")
	for op, want := range map[string]string{"JobsClient.Get": "AzureML Data Scientist", "History.Details": "run history", "WorkspacesClient.Get": "reading the workspace"} {
		h.rule(op, 0, cloudfake.Fault{Kind: cloudfake.Denied})
		assert.Contains(t, h.doctor(nil), want)
		require.NoError(t, h.Clear(h.ctx()))
	}
}

// TestLogins: a wrong secret is told as such, and nothing of it is shown.
func TestLogins(t *testing.T) {
	h := newHarness(t)
	assert.Equal(t, "azure:"+subscription+":ml:11111111-2222-3333-4444-555555555555", h.target.Scope.Id)
	operator := h.operator()
	operator["service_principal_password"] = "wrong"
	r, err := h.client.Scope(h.ctx(), &operatorv1.ScopeRequest{Target: h.targetOf(operator)})
	require.NoError(t, err)
	assert.Equal(t, operatorv1.CouldNotAsk_REASON_AUTH, r.GetCouldNotAsk().GetReason(), "%v", r)
	assert.Contains(t, fmt.Sprint(r), "AADSTS7000215")
}

// TestAzLogin: without a service principal Azure's default chain signs in, here
// `az login`, with nothing but the plugin's environment.
func TestAzLogin(t *testing.T) {
	c := newCloud(t)
	bin := t.TempDir()
	az := fmt.Sprintf("#!/bin/sh\necho '{\"accessToken\": \"fake-cli\", \"expires_on\": %d, \"tokenType\": \"Bearer\"}'\n", time.Now().Add(time.Hour).Unix())
	require.NoError(t, os.WriteFile(filepath.Join(bin, "az"), []byte(az), 0o700))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("AZURE_TOKEN_CREDENTIALS", "AzureCLICredential") // no question to a metadata server from a test
	operator := c.operator()
	for _, name := range []string{"tenant_id", "service_principal_id", "service_principal_password"} {
		delete(operator, name)
	}
	operator["endpoints"] = map[string]string{"management": c.URL, "history": c.URL}
	h := newHarnessOf(t, c, operator)
	s := h.step("az", "true")
	end, _ := h.watch(s.Key, h.accepted(s))
	assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase, "%v", end)
}

// TestRemadeWorkspace: a workspace of the same name that was made anew has none of
// the jobs, and says nothing about them.
func TestRemadeWorkspace(t *testing.T) {
	h := newHarness(t)
	s := h.step("remade", "sleep 3600")
	h.accepted(s)
	require.NoError(t, h.Set(h.ctx(), "workspace", "99999999-2222-3333-4444-555555555555"))
	got := h.findKey(keyOf("never", 1))
	assert.Equal(t, operatorv1.CouldNotAsk_REASON_WRONG_SCOPE, got.GetCouldNotAsk().GetReason(), "%v", got)
}

// TestExpiredCredentials: a login that ends during a run is no verdict.
func TestExpiredCredentials(t *testing.T) {
	h := newHarness(t)
	s := h.step("expired", "sleep 0.5")
	handle := h.accepted(s)
	require.NoError(t, h.Add(h.ctx(), cloudfake.Rule{ForMS: 1500, Fault: cloudfake.Fault{Kind: cloudfake.Expired}}))
	end, seen := h.watch(s.Key, handle)
	assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase, "%v", end)
	auth := false
	for _, e := range seen {
		auth = auth || e.GetReachability().GetCouldNotAsk().GetReason() == operatorv1.CouldNotAsk_REASON_AUTH
	}
	assert.True(t, auth, "%v", seen)
}

func TestRegistryAuth(t *testing.T) {
	h := newHarness(t)
	r, err := h.client.RegistryAuth(h.ctx(), &operatorv1.RegistryAuthRequest{Target: h.target, Registry: "team.azurecr.io", Repository: "step", Push: true, Create: true})
	require.NoError(t, err)
	assert.Equal(t, tokenUser, r.Username)
	assert.Equal(t, "refresh-for-team.azurecr.io", r.Password.GetValue())
	assert.True(t, r.ExpiresAt.AsTime().After(time.Now()))
	for _, other := range []string{"docker.io", "evil.com/x.azurecr.io.evil.com", "azurecr.io"} {
		r, err := h.client.RegistryAuth(h.ctx(), &operatorv1.RegistryAuthRequest{Target: h.target, Registry: other, Repository: "x"})
		require.NoError(t, err)
		assert.True(t, r.NotOurs, other)
	}
}

// asked watches n waiting jobs, and counts the lists and single questions about
// them during a while.
func asked(t *testing.T, n int, during time.Duration) (lists, singles int) {
	h := newHarness(t)
	require.NoError(t, h.AddLife(h.ctx(), cloudfake.LifeRule{Life: cloudfake.Life{QueuedMS: 600_000}}))
	var streams []grpc.ServerStreamingClient[operatorv1.WatchResponse]
	for i := range n {
		s := h.step(fmt.Sprintf("many-%d", i), "true")
		stream, err := h.client.Watch(h.ctx(), &operatorv1.WatchRequest{Target: h.target, Handle: h.accepted(s), Key: s.Key, HeartbeatInterval: durationpb.New(time.Second)})
		require.NoError(t, err)
		streams = append(streams, stream)
	}
	for _, s := range streams {
		_, err := s.Recv()
		require.NoError(t, err)
	}
	count := func() (int, int) {
		calls, err := h.Calls(h.ctx())
		require.NoError(t, err)
		return calls["JobsClient.List"], calls["JobsClient.Get"]
	}
	l, g := count()
	end := time.Now().Add(during)
	require.Eventually(t, func() bool { return time.Now().After(end) }, hang, 10*time.Millisecond)
	lists, singles = count()
	return lists - l, singles - g
}

// TestQuestionsDoNotGrowWithRuns: runs that nothing happens to cost lists alone,
// whose pages grow and whose number does not.
func TestQuestionsDoNotGrowWithRuns(t *testing.T) {
	const during, few, many, page = 3 * time.Second, 5, 50, 25
	fewLists, _ := asked(t, few, during)
	manyLists, manySingles := asked(t, many, during)
	t.Logf("questions in %s: %d runs: %d pages of lists; %d runs: %d pages, %d single", during, few, fewLists, many, manyLists, manySingles)
	assert.LessOrEqual(t, manySingles, few, "nobody is asked for alone while nothing changes")
	assert.LessOrEqual(t, manyLists, (fewLists+2)*(1+many/page))
}
