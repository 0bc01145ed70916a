package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/plugins/vertex/internal/fake"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"github.com/stephost/stephost/test/cloudfake"
)

// TestPreflight: doctor finds what a launch would run into.
func TestPreflight(t *testing.T) {
	h := newHarness(t, true)
	assert.Empty(t, h.Doctor(nil))
	gpu := h.Step("gpu", "true")
	gpu.Resources = &operatorv1.Resources{Gpu: 1, GpuType: "t4", Nodes: 3}
	one := func(s *operatorv1.Step) *operatorv1.Diagnostic {
		t.Helper()
		found := h.Doctor(s)
		require.Len(t, found, 1, "%v", found)
		return found[0]
	}
	gpu.Environment.GetImage().Reference = "europe-west1-docker.pkg.dev/p/repo/step@sha256:0"
	assert.Contains(t, one(gpu).Summary, "the repository repo does not exist")
	require.NoError(t, h.Set(t.Context(), "repository", "p/europe-west1/repo"))
	assert.Empty(t, h.Doctor(gpu), "no quota is known: no finding")
	require.NoError(t, h.Set(t.Context(), "quota", "custom_model_training_nvidia_t4_gpus=2"))
	assert.Contains(t, one(gpu).Summary, "the step needs 3 of custom_model_training_nvidia_t4_gpus")

	pool := h.Step("pool", "true")
	pool.Environment.GetImage().Reference = gpu.Environment.GetImage().Reference
	pool.Settings = h.Settings(map[string]any{"persistent_resource_id": "pool", "service_account": "a@p.iam.gserviceaccount.com"})
	assert.Empty(t, h.Doctor(pool))
	pool.Settings = h.Settings(map[string]any{"persistent_resource_id": "none", "service_account": "a@p.iam.gserviceaccount.com"})
	assert.Contains(t, one(pool).Summary, "there is no persistent resource none")

	for op, want := range map[string]string{"ListCustomJobs": "needs the role Vertex AI User", "ListLogEntries": "needs the role Logs Viewer", "TestPermissions": "may not use the bucket"} {
		h.Rule(op, 0, cloudfake.Fault{Kind: cloudfake.Denied})
		assert.Contains(t, one(nil).GetSummary()+one(nil).GetDetail(), want)
		require.NoError(t, h.Clear(t.Context()))
	}
	h.Rule("Token", 0, cloudfake.Fault{Kind: cloudfake.Expired})
	require.NoError(t, h.Set(t.Context(), "revoke", ""))
	other := newHarnessOf(t, h.backend, h.operator(true))
	found := other.Doctor(nil)
	require.NotEmpty(t, found)
	assert.Equal(t, operatorv1.Class_CLASS_AUTH, found[0].Class)
}

// TestPreflightWithoutABucket says what is not there then.
func TestPreflightWithoutABucket(t *testing.T) {
	h := newHarness(t, false)
	found := h.Doctor(nil)
	require.Len(t, found, 1)
	assert.Equal(t, operatorv1.Severity_SEVERITY_WARNING, found[0].Severity)
}

func TestRegistryAuth(t *testing.T) {
	h := newHarness(t, false)
	auth := func(registry, repository string, create bool) *operatorv1.RegistryAuthResponse {
		r, err := h.Plugin.RegistryAuth(h.Ctx(), &operatorv1.RegistryAuthRequest{Target: h.Target, Registry: registry, Repository: repository, Push: true, Create: create})
		require.NoError(t, err)
		return r
	}
	const europe = "europe-west1-docker.pkg.dev"
	r := auth(europe, fake.Project+"/ml/step", false)
	assert.Equal(t, tokenUser, r.Username)
	assert.NotEmpty(t, r.Password.GetValue())
	require.NotNil(t, r.ExpiresAt)
	assert.False(t, r.Created)
	assert.True(t, auth(europe, fake.Project+"/ml/step", true).Created)
	assert.False(t, auth(europe, fake.Project+"/ml/step", true).Created, "it is there")
	assert.NotEmpty(t, auth(europe, "only", true).Diagnostics)
	assert.Equal(t, tokenUser, auth("eu.gcr.io", "p/step", false).Username)
	for _, other := range []string{"docker.io", "123.dkr.ecr.eu-west-1.amazonaws.com", "evil.com/x-docker.pkg.dev", "a.b-docker.pkg.dev"} {
		assert.True(t, auth(other, "x", false).NotOurs, other)
	}
}
