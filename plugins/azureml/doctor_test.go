package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/cloudtest"
)

// said is what doctor says, as one text.
func (h *harness) said(s *operatorv1.Step) string {
	text := ""
	for _, d := range h.Doctor(s) {
		text += d.Summary + " " + d.Detail + "\n"
	}
	return text
}

// TestPreflight: doctor finds what a launch would run into.
func TestPreflight(t *testing.T) {
	h := newHarness(t)
	assert.Empty(t, h.said(nil))
	assert.Empty(t, h.said(h.Step("fine", "true")))
	gpu := h.Step("gpu", "true")
	gpu.Resources = &operatorv1.Resources{Gpu: 1, GpuType: "v100", Nodes: 2}
	assert.Contains(t, h.said(gpu), "2 of Standard_NC6s_v3 need 12 cores of the family standardNCSv3Family, and the subscription has 0 left")
	missing := h.Step("missing", "true")
	missing.Settings = h.Settings(map[string]any{"compute_name": "nothing"})
	assert.Contains(t, h.said(missing), "has no compute nothing")
	for op, want := range map[string]string{"JobsClient.Get": "AzureML Data Scientist", "History.Details": "run history", "WorkspacesClient.Get": "reading the workspace"} {
		h.Rule(op, 0, cloudfake.Fault{Kind: cloudfake.Denied})
		assert.Contains(t, h.said(nil), want)
		require.NoError(t, h.Clear(h.Ctx()))
	}
}

// TestLogins: a wrong secret is told as such, and nothing of it is shown.
func TestLogins(t *testing.T) {
	h := newHarness(t)
	assert.Equal(t, "azure:"+subscription+":ml:11111111-2222-3333-4444-555555555555", h.Target.Scope.Id)
	operator := h.operator()
	operator["service_principal_password"] = "wrong"
	r, err := h.Plugin.Scope(h.Ctx(), &operatorv1.ScopeRequest{Target: h.TargetOf(operator)})
	require.NoError(t, err)
	assert.Equal(t, operatorv1.CouldNotAsk_REASON_AUTH, r.GetCouldNotAsk().GetReason(), "%v", r)
	assert.Contains(t, fmt.Sprint(r), "AADSTS7000215")
}

// TestAzLogin: without a service principal Azure's default chain signs in, here
// `az login`, with nothing but the plugin's environment.
func TestAzLogin(t *testing.T) {
	c := newBackend(t)
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
	s := h.Step("az", "true")
	end, _ := h.Watch(s.Key, h.Accepted(s))
	assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase, "%v", end)
}

// TestRemadeWorkspace: a workspace of the same name that was made anew has none of
// the jobs, and says nothing about them.
func TestRemadeWorkspace(t *testing.T) {
	h := newHarness(t)
	s := h.Step("remade", "sleep 3600")
	h.Accepted(s)
	require.NoError(t, h.Set(h.Ctx(), "workspace", "99999999-2222-3333-4444-555555555555"))
	got := h.FindKey(cloudtest.KeyOf("never", 1))
	assert.Equal(t, operatorv1.CouldNotAsk_REASON_WRONG_SCOPE, got.GetCouldNotAsk().GetReason(), "%v", got)
}

// TestExpiredCredentials: a login that ends during a run is no verdict.
func TestExpiredCredentials(t *testing.T) {
	h := newHarness(t)
	s := h.Step("expired", "sleep 0.5")
	handle := h.Accepted(s)
	require.NoError(t, h.Add(h.Ctx(), cloudfake.Rule{ForMS: 1500, Fault: cloudfake.Fault{Kind: cloudfake.Expired}}))
	end, seen := h.Watch(s.Key, handle)
	assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase, "%v", end)
	auth := false
	for _, e := range seen {
		auth = auth || e.GetReachability().GetCouldNotAsk().GetReason() == operatorv1.CouldNotAsk_REASON_AUTH
	}
	assert.True(t, auth, "%v", seen)
}

func TestRegistryAuth(t *testing.T) {
	h := newHarness(t)
	r, err := h.Plugin.RegistryAuth(h.Ctx(), &operatorv1.RegistryAuthRequest{Target: h.Target, Registry: "team.azurecr.io", Repository: "step", Push: true, Create: true})
	require.NoError(t, err)
	assert.Equal(t, tokenUser, r.Username)
	assert.Equal(t, "refresh-for-team.azurecr.io", r.Password.GetValue())
	assert.True(t, r.ExpiresAt.AsTime().After(time.Now()))
	for _, other := range []string{"docker.io", "evil.com/x.azurecr.io.evil.com", "azurecr.io"} {
		r, err := h.Plugin.RegistryAuth(h.Ctx(), &operatorv1.RegistryAuthRequest{Target: h.Target, Registry: other, Repository: "x"})
		require.NoError(t, err)
		assert.True(t, r.NotOurs, other)
	}
}
