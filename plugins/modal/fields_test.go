package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/stephost/stephost/plugins/modal/internal/fake"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// everything sets every setting of the manifest, but for what excludes another
// one: block_network (TestBlockedNetwork) and backend (with a GPU it is v1).
func everything() map[string]any {
	return map[string]any{
		"modal_gpu": "A100-80GB:2", "region": []string{"us-east", "eu-west-1"}, "cloud": "aws", "sandbox_timeout": "3h", "backend": "v1",
		"cpu_limit": 8.5, "memory_limit_mib": 32768,
		"volumes": map[string]any{
			"/data":  map[string]any{"name": "datasets", "read_only": true, "sub_path": "digits", "create": false},
			"/cache": map[string]any{"name": "cache", "read_only": false, "sub_path": nil, "create": true},
		},
		"cloud_bucket_mounts": map[string]any{
			"/bucket": map[string]any{"bucket": "my-bucket", "secret": "bucket-login", "read_only": true, "requester_pays": true, "endpoint_url": nil,
				"key_prefix": "train/", "oidc_role_arn": nil, "force_path_style": true},
			"/r2": map[string]any{"bucket": "other", "secret": nil, "read_only": false, "requester_pays": false,
				"endpoint_url": "https://acc.r2.cloudflarestorage.com", "key_prefix": nil, "oidc_role_arn": "arn:aws:iam::123456789012:role/modal", "force_path_style": false},
		},
		"modal_secrets": []string{"huggingface", "wandb"}, "proxy": "fixed", "block_network": false,
		"outbound_cidrs": []string{"10.0.0.0/8"}, "outbound_domains": []string{"*.example.com"}, "runtime": "gvisor",
		"oidc_identity_token": true, "nonpreemptible": true, "verbose_logging": true, "experimental_options": map[string]string{"enable_docker": "true"},
	}
}

// named makes what everything names, as a person would have.
func (h *harness) named(environment string) {
	for _, one := range [][2]string{
		{"secret", "huggingface"}, {"secret", "wandb"}, {"secret", "bucket-login"}, {"secret", "registry"}, {"volume", "datasets"}, {"proxy", "fixed"},
	} {
		require.NoError(h.T, h.Set(h.Ctx(), one[0], environment+"/"+one[1]))
	}
}

// fullStep is a step with everything that a step can have.
func (h *harness) fullStep(token string, more map[string]any) *operatorv1.Step {
	s := h.Step(token, "true")
	settings := everything()
	for name, value := range more {
		settings[name] = value
	}
	s.Settings = h.Settings(settings)
	s.Labels = map[string]string{"owner": "ada", "cost center": "A 7", "stephost-key": "mine"}
	s.Env = map[string]string{"LOG_LEVEL": "info", "MONEY": "5$ $(HOME) $$ ${{x}}", "with.dot": "x", "EMPTY": ""}
	s.Secrets = map[string]*operatorv1.Secret{"HF_TOKEN": {Value: "hunter2"}}
	s.Argv = []string{"python", "train.py", "", "a\nb", `"`}
	s.Resources = &operatorv1.Resources{CpuMillis: 4000, MemoryBytes: 16<<30 + 1, Gpu: 2, GpuType: "a100-80gb"}
	s.Deadlines = &operatorv1.Deadlines{Run: durationpb.New(7200e9 + 1), Provisioning: durationpb.New(600e9)}
	return s
}

// told is what the fake has of a sandbox.
type told struct {
	Call      string            `json:"call"`
	Request   json.RawMessage   `json:"request"`
	Variables map[string]string `json:"variables"`
	Image     map[string]any    `json:"image"`
	Names     map[string]string `json:"names"`
}

func (h *harness) told(key string) told {
	var out told
	require.NoError(h.T, json.Unmarshal(h.JobOf(key).Request, &out))
	return out
}

// TestEveryField sets every field of operator, step and environment and finds
// each in the request that the service got.
func TestEveryField(t *testing.T) {
	b := newBackend(t)
	require.NoError(t, b.Set(t.Context(), "environment", "prod"))
	h := newHarnessOn(t, b, operator("workspace", "fake-workspace", "modal_environment", "prod", "app", "stephost-digits", "output_volume", "results", "registry_secret", "registry", "registry_auth", "aws"))
	h.named("prod")
	h.Target.Project = "Ziffern 7"
	s := h.fullStep("every", nil)
	h.Accepted(s)
	raw := h.JobOf(s.Key).Request
	golden(t, "testdata/every_field.json", raw)

	var request pb.SandboxCreateRequest
	require.NoError(t, protojson.Unmarshal(h.told(s.Key).Request, &request))
	var missing []string
	untouched(request.GetDefinition().ProtoReflect(), "", &missing)
	for _, path := range missing {
		assert.Contains(t, unreached(), path, "a field of the API that nothing reaches needs a reason in unreached")
	}
	for path := range unreached() {
		assert.Contains(t, missing, path, "it is reached")
	}
}

// unreached are fields of a sandbox that stephost does not set, with the reason.
func unreached() map[string]string {
	return map[string]string{
		"mount_ids": "code is in the image", "nfs_mounts": "Modal's network file systems are at their end", "s3_mounts": "cloud_bucket_mounts has taken their place",
		"cloud_provider": "cloud_provider_str has taken its place", "block_network": "network_access has taken its place",
		"workdir": "the image's", "runtime_debug": "for Modal's own use", "pty_info": "a step has no terminal", "worker_id": "for Modal's own use",
		"open_ports.ports": "a step serves nobody", "i6pn_enabled": "a step is one sandbox", "enable_snapshot": "a step is not restored", "snapshot_version": "set by Modal",
		"runsc_runtime_version": "set by Modal", "experimental_options": "experimental_options_v2 has taken their place", "preload_path_prefixes": "for Modal's own use",
		"idle_timeout_secs": "a step that is silent is not idle", "direct_sandbox_commands_enabled": "always on", "_restore_instance_type": "set by Modal",
		"custom_domain": "a step serves nobody", "readiness_probe": "a step serves nobody", "inbound_cidr_allowlist": "a step serves nobody",
		"include_x509_svid": "nobody has asked for it", "outbound_policy": "nobody has asked for it",
		"environment_variables": "variables go by secrets, or beside the request", "experimental_outbound_policy": "nobody has asked for it",
		"resources.ephemeral_disk_mb": "not in the SDK's sandboxes", "resources.rdma": "a step is one sandbox", "resources.gpu_config.type": "gpu_type has taken its place",
		"scheduler_placement._zone": "not public", "scheduler_placement._lifecycle": "not public", "scheduler_placement._instance_types": "not public",
		"cloud_bucket_mounts.metadata_ttl_type": "the default", "cloud_bucket_mounts.metadata_ttl_seconds": "the default",
	}
}

// untouched lists fields that are not set. Of a list all elements together count.
func untouched(m protoreflect.Message, path string, into *[]string) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		at := path + string(f.Name())
		switch {
		case !m.Has(f):
			*into = append(*into, at)
		case f.IsMap() || f.Kind() != protoreflect.MessageKind:
		case !f.IsList():
			untouched(m.Get(f).Message(), at+".", into)
		default:
			common := map[string]int{}
			list := m.Get(f).List()
			for i := range list.Len() {
				var one []string
				untouched(list.Get(i).Message(), at+".", &one)
				for _, p := range one {
					common[p]++
				}
			}
			for p, n := range common {
				if n == list.Len() {
					*into = append(*into, p)
				}
			}
		}
	}
}

// golden compares a JSON text with a file; UPDATE_GOLDEN writes it.
func golden(t *testing.T, path string, raw []byte) {
	t.Helper()
	var got any
	require.NoError(t, json.Unmarshal(raw, &got))
	text, err := json.MarshalIndent(got, "", "  ")
	require.NoError(t, err)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, append(text, '\n'), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.JSONEq(t, string(want), string(text))
}

// TestEveryAttributeIsSet: everything() knows all settings of the manifest, and
// each of them has another value than the default.
func TestEveryAttributeIsSet(t *testing.T) {
	all := everything()
	for name, def := range emptySettings() {
		require.Contains(t, all, name)
		if name != "block_network" {
			assert.NotEqual(t, def, all[name], name)
		}
	}
}

// TestTheNewerBackend: the same fields, where variables travel with the request
// and secrets alone are a Modal secret.
func TestTheNewerBackend(t *testing.T) {
	h := newHarness(t)
	h.named(fake.Environment)
	s := h.fullStep("newer", map[string]any{"backend": nil, "modal_gpu": nil, "region": "us-east", "sandbox_timeout": "90"})
	s.Resources.Gpu, s.Resources.GpuType = 0, ""
	h.Accepted(s)
	got := h.told(s.Key)
	assert.Equal(t, "SandboxCreateV2", got.Call)
	var request pb.SandboxCreateV2Request
	require.NoError(t, protojson.Unmarshal(got.Request, &request))
	d := request.GetDefinition()
	assert.EqualValues(t, 90, d.GetTimeoutSecs(), "the shorter of two limits")
	assert.Equal(t, []string{"us-east"}, d.GetSchedulerPlacement().GetRegions())
	sources := request.GetSecretSources()
	require.Len(t, sources, 4)
	for i, name := range []string{"secret/main/huggingface", "secret/main/wandb", "secret/main/stephost-" + s.Key} {
		assert.Equal(t, name, got.Names[sources[i].GetSecretId()])
	}
	env := sources[3].GetEnv().GetContents()
	assert.Equal(t, "info", env["LOG_LEVEL"])
	assert.NotContains(t, env, "HF_TOKEN")
	assert.NotContains(t, env, "with.dot", "the shim makes it")
	assert.Equal(t, "hunter2", got.Variables["HF_TOKEN"])
	assert.Equal(t, "from the secret wandb", got.Variables["NAMED_WANDB"])
}

// TestBlockedNetwork and what else excludes another setting.
func TestBlockedNetwork(t *testing.T) {
	h := newHarness(t)
	for name, c := range map[string]struct {
		settings map[string]any
		want     *pb.NetworkAccess
	}{
		"open":      {want: pb.NetworkAccess_builder{NetworkAccessType: pb.NetworkAccess_OPEN}.Build()},
		"blocked":   {map[string]any{"block_network": true}, pb.NetworkAccess_builder{NetworkAccessType: pb.NetworkAccess_BLOCKED}.Build()},
		"nowhere":   {map[string]any{"outbound_cidrs": []string{}}, pb.NetworkAccess_builder{NetworkAccessType: pb.NetworkAccess_ALLOWLIST}.Build()},
		"somewhere": {map[string]any{"outbound_domains": []string{"a.b"}}, pb.NetworkAccess_builder{NetworkAccessType: pb.NetworkAccess_ALLOWLIST, AllowedDomains: []string{"a.b"}}.Build()},
	} {
		s := h.Step("network "+name, "true")
		s.Settings = h.Settings(c.settings)
		h.Accepted(s)
		var request pb.SandboxCreateV2Request
		require.NoError(t, protojson.Unmarshal(h.told(s.Key).Request, &request))
		assert.Equal(t, c.want.String(), request.GetDefinition().GetNetworkAccess().String(), name)
		assert.EqualValues(t, (24 * time.Hour).Seconds(), request.GetDefinition().GetTimeoutSecs(), "not Modal's five minutes")
	}
}

// TestPlanIsWhatIsSent compares the plan with what the service got.
func TestPlanIsWhatIsSent(t *testing.T) {
	h := newHarness(t, "output_volume", "results")
	h.named(fake.Environment)
	for name, more := range map[string]map[string]any{"v1": nil, "v2": {"backend": "v2", "modal_gpu": nil}} {
		t.Run(name, func(t *testing.T) {
			s := h.fullStep("plan "+name, more)
			if name == "v2" {
				s.Resources.Gpu, s.Resources.GpuType = 0, ""
			}
			plan, err := h.Plugin.Plan(h.Ctx(), &operatorv1.PlanRequest{Target: h.Target, Step: s})
			require.NoError(t, err)
			require.Empty(t, plan.Diagnostics)
			assert.NotContains(t, plan.Request, "hunter2")
			assert.NotEmpty(t, plan.Notes)
			h.Accepted(s)
			got := h.told(s.Key)
			var shown struct {
				Call    string                                `json:"call"`
				Request map[string]any                        `json:"request"`
				Secret  struct{ Variables map[string]string } `json:"secret"`
				Image   struct{ Dockerfile []string }         `json:"image"`
			}
			require.NoError(t, json.Unmarshal([]byte(plan.Request), &shown))
			assert.Equal(t, got.Call, shown.Call)
			assert.Equal(t, []string{"FROM " + image, "ENTRYPOINT []"}, shown.Image.Dockerfile)
			assert.Equal(t, "(secret HF_TOKEN)", shown.Secret.Variables["HF_TOKEN"])
			// What is known at launch is filled with IDs; the digest is the host's,
			// made behind the plan.
			var sent any
			require.NoError(t, json.Unmarshal(got.Request, &sent))
			assert.Equal(t, sameUnknown(sent, shown.Request), shown.Request)
		})
	}
}

// sameUnknown is sent with the texts of shown where shown says that something is
// known at launch only.
func sameUnknown(sent, shown any) any {
	switch s := shown.(type) {
	case map[string]any:
		if m, ok := sent.(map[string]any); ok {
			out := map[string]any{}
			for name, value := range m {
				out[name] = sameUnknown(value, s[name])
			}
			return out
		}
	case []any:
		if list, ok := sent.([]any); ok && len(list) == len(s) {
			out := make([]any, len(list))
			for i := range list {
				out[i] = sameUnknown(list[i], s[i])
			}
			return out
		}
	case string:
		if _, ok := sent.(string); ok && strings.HasPrefix(s, "(known at launch") {
			return s
		}
	}
	return sent
}

// TestPlanBeforeALogin shows what is known without network.
func TestPlanBeforeALogin(t *testing.T) {
	h := newHarness(t)
	s := h.Step("plan", "true")
	s.Key, s.RunId, s.RunToken = "", "", ""
	plan, err := h.Plugin.Plan(h.Ctx(), &operatorv1.PlanRequest{Target: h.TargetOf(map[string]any{}), Step: s})
	require.NoError(t, err)
	require.Empty(t, plan.Diagnostics)
	for _, text := range []string{"known at launch: the ID of the app stephost", "known at launch: the key of the attempt", "SandboxCreateV2", "known at launch: the ID of the image"} {
		assert.Contains(t, plan.Request, text)
	}
}
