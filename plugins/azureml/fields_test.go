package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/durationpb"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// everything sets every setting that a serverless job in an image can have.
func everything() map[string]any {
	return map[string]any{
		"mode": "serverless", "size": "Standard_NC4as_T4_v3", "tier": "spot", "experiment_name": "digits", "display_name": "shown", "description": "told",
		"tags": map[string]string{"team": "vision"}, "identity": "managed", "identity_client_id": "client", "identity_object_id": "object", "identity_resource_id": "resource",
		"docker_args": "--ulimit memlock=-1", "shm_size": "4g", "environment_name": "sklearn",
		"additional_job_args": map[string]any{"notificationSetting": map[string]any{"emails": []string{"a@b.c"}, "emailOn": []string{"JobFailed"}}},
	}
}

// elsewhere are the settings that everything() cannot hold at the same time,
// with the test that does.
func elsewhere() map[string]string {
	return map[string]string{
		"compute_name": "TestCompute", "create": "TestCompute", "location": "TestCompute", "min_instances": "TestCompute", "max_instances": "TestCompute",
		"idle_time_before_scaledown": "TestCompute", "idle_time_before_shutdown_minutes": "refused by the manifest",
	}
}

// fullStep is a step with everything that a step can have.
func (h *harness) fullStep(token string) *operatorv1.Step {
	s := h.Step(token, "true")
	s.Settings = h.Settings(everything())
	s.Labels = map[string]string{"owner": "ada", "Cost.Center": "A 7"}
	s.Env = map[string]string{"LOG_LEVEL": "info", "MONEY": "5$ $(HOME) $$", "TEMPLATE": "${{x}}", "with.dot": "x"}
	s.Secrets = map[string]*operatorv1.Secret{"HF_TOKEN": {Value: "hunter2"}}
	s.Argv = []string{"python", "train.py", "", "a\nb", strings.Repeat("y", 300)}
	s.Resources = &operatorv1.Resources{CpuMillis: 4000, MemoryBytes: 16 << 30, Gpu: 1, GpuType: "t4", Nodes: 3, SharedMemoryBytes: 1 << 30}
	s.Deadlines = &operatorv1.Deadlines{Run: durationpb.New(7200e9), Provisioning: durationpb.New(600e9)}
	return s
}

// TestEveryField sets every field and finds each in the request that the service
// got.
func TestEveryField(t *testing.T) {
	h := newHarness(t)
	h.Target.Project = "Ziffern 7"
	s := h.fullStep("every")
	h.Accepted(s)
	var got map[string]any
	require.NoError(t, json.Unmarshal(h.JobOf(s.Key).Request, &got))
	text, err := json.MarshalIndent(got, "", "  ")
	require.NoError(t, err)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile("testdata/every_field.json", append(text, '\n'), 0o644))
	}
	want, err := os.ReadFile("testdata/every_field.json")
	require.NoError(t, err)
	assert.JSONEq(t, string(want), string(text))

	for _, part := range []string{
		`"instanceType": "Standard_NC4as_T4_v3"`, `"instanceCount": 3`, `"jobTier": "Spot"`, `"experimentName": "digits"`, `"displayName": "shown"`, `"description": "told"`,
		`"team": "vision"`, `"identityType": "Managed"`, `"clientId": "client"`, `"objectId": "object"`, `"resourceId": "resource"`, `"dockerArgs": "--ulimit memlock=-1"`,
		`"shmSize": "4g"`, `"emails": [`, `"owner": "ada"`, `"Cost.Center": "A 7"`, `"LOG_LEVEL": "info"`, `"MONEY": "5$ $(HOME) $$"`, `"HF_TOKEN": "hunter2"`,
		`"timeout": "PT7200S"`, `"distributionType": "PyTorch"`, `"processCountPerInstance": 1`, `"stephost_key": "` + s.Key, `"stephost_run": "RUN-every"`,
		`"stephost_digest": "0a0a`, `"stephost_attempt": "1"`, `"stephost_project": "Ziffern 7"`, `"stephost_pipeline": "digits"`, `"stephost_step": "train"`, `/environments/stephost-image/versions/` + imageVersion(image),
	} {
		assert.Contains(t, string(text), part)
	}
	assert.NotContains(t, string(text), "${{", "what AzureML would rewrite is packed")
}

// TestEveryAttributeIsSet: everything() knows all settings of the manifest, and
// each of them has another value than the default.
func TestEveryAttributeIsSet(t *testing.T) {
	all := everything()
	for name, def := range emptySettings() {
		if elsewhere()[name] != "" {
			assert.NotContains(t, all, name)
			continue
		}
		require.Contains(t, all, name)
		assert.NotEqual(t, def, all[name], name)
	}
}

// TestPlanIsWhatIsSent compares the plan with what the service got.
func TestPlanIsWhatIsSent(t *testing.T) {
	h := newHarness(t)
	s := h.fullStep("plan")
	plan, err := h.Plugin.Plan(h.Ctx(), &operatorv1.PlanRequest{Target: h.Target, Step: s})
	require.NoError(t, err)
	assert.Equal(t, "json", plan.Format)
	assert.NotContains(t, plan.Request, "hunter2")
	assert.NotEmpty(t, plan.Notes)
	h.Accepted(s)
	var shown, sent map[string]any
	require.NoError(t, json.Unmarshal([]byte(plan.Request), &shown), "%v", plan)
	require.NoError(t, json.Unmarshal(h.JobOf(s.Key).Request, &sent))
	assert.Equal(t, "PUT", shown["method"])
	body := shown["body"].(map[string]any)["properties"].(map[string]any)
	put := sent["properties"].(map[string]any)
	env, sentEnv := body["environmentVariables"].(map[string]any), put["environmentVariables"].(map[string]any)
	assert.Equal(t, "(secret)", env["HF_TOKEN"])
	for name, value := range env {
		if value == "(secret)" {
			sentEnv[name] = value
		}
	}
	// The digest is the host's, made behind the plan.
	delete(put["properties"].(map[string]any), propDigest)
	assert.Equal(t, body, put)
}

// TestRefusals: what no launch could send is refused by name.
func TestRefusals(t *testing.T) {
	h := newHarness(t)
	for name, c := range map[string]struct {
		change func(s *operatorv1.Step)
		want   string
	}{
		"visible secrets": {func(s *operatorv1.Step) {
			s.Secrets, s.AllowVisibleSecrets = map[string]*operatorv1.Secret{"A": {Value: "x"}}, false
		}, "allow_visible_secrets"},
		"a size that is too small": {func(s *operatorv1.Step) {
			s.Settings = h.Settings(map[string]any{"size": "Standard_DS3_v2"})
			s.Resources = &operatorv1.Resources{Gpu: 1}
		}, "the step asks for gpu 1, but Standard_DS3_v2 has no GPU"},
		"no machine": {func(s *operatorv1.Step) { s.Resources = &operatorv1.Resources{CpuMillis: 999_000} }, "the nearest is"},
		"a member that is taken": {func(s *operatorv1.Step) {
			s.Settings = h.Settings(map[string]any{"additional_job_args": map[string]any{"command": "x"}})
		}, "is set by stephost itself"},
		"a member that the API has not": {func(s *operatorv1.Step) {
			s.Settings = h.Settings(map[string]any{"additional_job_args": map[string]any{"nonsense": 1}})
		}, "is not understood"},
		"a template without the shim": {func(s *operatorv1.Step) {
			s.Environment.GetImage().Shim = false
			s.Env = map[string]string{"A": "${{x}}"}
		}, "AzureML would rewrite this variable"},
		"nothing to run in": {func(s *operatorv1.Step) {
			s.Environment = &operatorv1.Environment{Kind: &operatorv1.Environment_Raw_{Raw: &operatorv1.Environment_Raw{}}}
		}, "give environment_name, or base_image"},
	} {
		t.Run(name, func(t *testing.T) {
			s := h.Step("refused", "true")
			c.change(s)
			r, err := h.Plugin.Validate(h.Ctx(), &operatorv1.ValidateRequest{Target: h.Target, Step: s})
			require.NoError(t, err)
			var text strings.Builder
			for _, d := range r.Diagnostics {
				text.WriteString(d.Summary + "\n" + d.Detail + "\n")
			}
			assert.Contains(t, text.String(), c.want)
		})
	}
}
