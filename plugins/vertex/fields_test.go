package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/stephost/stephost/plugins/vertex/internal/fake"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// everything sets every attribute of the manifest that a request can carry.
func everything() (config, settings map[string]any) {
	config = map[string]any{
		"bucket_name": "gs://" + fake.Bucket + "/team", "network": "projects/12345/global/networks/net",
		"reserved_ip_ranges": "range-a, range-b", "encryption_spec_key_name": "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k",
	}
	settings = map[string]any{
		"machine_type": "n1-standard-8", "accelerator_type": "NVIDIA_TESLA_T4", "accelerator_count": 2,
		"gpu_partition_size": "1g.5gb", "tpu_topology": "2x2", "boot_disk_size_gb": 300, "boot_disk_type": "pd-standard",
		"service_account": "train@p.iam.gserviceaccount.com", "persistent_resource_id": "pool", "scheduling_strategy": "FLEX_START",
		"max_wait_duration":    "12h",
		"reservation_affinity": map[string]any{"type": "SPECIFIC_RESERVATION", "key": "compute.googleapis.com/reservation-name", "values": []string{"projects/p/zones/z/reservations/r"}},
		"nfs_mounts":           []map[string]any{{"server": "10.0.0.2", "path": "/data", "mount_point": "data"}},
		"tensorboard":          "projects/p/locations/europe-west1/tensorboards/1", "experiment": "projects/p/locations/europe-west1/metadataStores/default/contexts/e",
		"experiment_run":    "projects/p/locations/europe-west1/metadataStores/default/contexts/e-r",
		"enable_web_access": true, "enable_dashboard_access": true, "job_labels": map[string]any{"team": "vision"},
		"additional_training_job_args": map[string]any{"protectedArtifactLocationId": "us-central1", "models": []string{"projects/p/locations/l/models/m"}},
	}
	return config, settings
}

// TestEveryField sets every field of operator, step and environment and finds
// each in the request that the service got.
func TestEveryField(t *testing.T) {
	c := newBackend(t)
	config, settings := everything()
	operator := c.operator(true)
	for name, value := range config {
		operator[name] = value
	}
	h := newHarnessOf(t, c, operator)
	h.Target.Project = "Ziffern 7"
	s := h.Step("every", "true")
	s.Settings = h.Settings(settings)
	s.Labels = map[string]string{"owner": "ada", "Cost.Center": "A 7"}
	s.Env, s.Secrets = map[string]string{"LOG_LEVEL": "info", "MONEY": "5$ $(HOME) $$"}, map[string]*operatorv1.Secret{"HF_TOKEN": {Value: "hunter2"}}
	s.Resources = &operatorv1.Resources{CpuMillis: 8000, MemoryBytes: 16 << 30, Gpu: 2, GpuType: "t4", Nodes: 3, DiskBytes: 250 << 30}
	s.Deadlines = &operatorv1.Deadlines{Run: durationpb.New(7200e9), Provisioning: durationpb.New(600e9)}
	h.Accepted(s)

	var got aiplatformpb.CreateCustomJobRequest
	require.NoError(t, protojson.Unmarshal(h.JobOf(s.Key).Request, &got))
	require.NoError(t, fake.CheckBehavior(&got), "the vendor's own annotations")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.WriteFile("testdata/every_field.json", []byte(showJSON(t, &got)), 0o644))
	}
	want, err := os.ReadFile("testdata/every_field.json")
	require.NoError(t, err)
	var expected aiplatformpb.CreateCustomJobRequest
	require.NoError(t, protojson.Unmarshal(want, &expected))
	if !proto.Equal(&expected, &got) {
		assert.JSONEq(t, string(want), showJSON(t, &got))
	}
	assert.Empty(t, untouched(got.ProtoReflect(), ""), "a field of the API that no attribute reaches needs a reason in unreached")
}

// unreached are fields of the request that stephost does not set, with the
// reason.
func unreached() map[string]string {
	return map[string]string{
		"custom_job.job_spec.worker_pool_specs.python_package_spec":    "steps are images",
		"custom_job.job_spec.worker_pool_specs.lustre_mounts":          "a Lustre file system needs a network of its own; nobody has asked for it",
		"custom_job.job_spec.scheduling.restart_job_on_worker_restart": "disable_retries overrides it",
		"custom_job.job_spec.psc_interface_config":                     "by additional_training_job_args",
	}
}

// untouched lists the fields of a request that are not set, but for those that
// only the service sets and those that unreached explains.
func untouched(m protoreflect.Message, path string) []string {
	var out []string
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		at := path + string(f.Name())
		if unreached()[at] != "" || fake.OutputOnly(f) {
			continue
		}
		if !m.Has(f) {
			out = append(out, at)
			continue
		}
		switch {
		case f.Message() == nil || f.IsMap() || strings.HasPrefix(string(f.Message().FullName()), "google.protobuf."):
		case f.IsList():
			out = append(out, untouched(m.Get(f).List().Get(0).Message(), at+".")...)
		default:
			out = append(out, untouched(m.Get(f).Message(), at+".")...)
		}
	}
	return out
}

// TestEveryAttributeIsSet: everything() knows all attributes of the manifest but
// those that say where and how often to ask.
func TestEveryAttributeIsSet(t *testing.T) {
	config, settings := everything()
	for name := range emptySettings() {
		assert.Contains(t, settings, name)
	}
	for name := range emptyConfig() {
		switch name {
		case "project", "region", "service_account_path", "impersonate_service_account", "endpoints", "max_calls_per_minute", "max_log_calls_per_minute":
			continue
		}
		assert.Contains(t, config, name)
	}
}

// TestPlanIsWhatIsSent: but for the secret and what only a launch knows.
func TestPlanIsWhatIsSent(t *testing.T) {
	h := newHarness(t, true)
	s := h.Step("plan", "true")
	s.Secrets = map[string]*operatorv1.Secret{"HF_TOKEN": {Value: "hunter2"}}
	plan, err := h.Plugin.Plan(h.Ctx(), &operatorv1.PlanRequest{Target: h.Target, Step: s})
	require.NoError(t, err)
	require.Empty(t, plan.Diagnostics)
	assert.NotContains(t, plan.Request, "hunter2")
	assert.Contains(t, plan.Request, "(secret HF_TOKEN)")
	var shown planned
	require.NoError(t, json.Unmarshal([]byte(plan.Request), &shown))
	assert.Equal(t, "gs://"+fake.Bucket+"/stephost/keys/"+s.Key, shown.Marker)
	h.Accepted(s)
	var sent aiplatformpb.CreateCustomJobRequest
	require.NoError(t, protojson.Unmarshal(h.JobOf(s.Key).Request, &sent))
	var planned aiplatformpb.CustomJob
	require.NoError(t, protojson.Unmarshal(shown.Body, &planned))
	planned.Labels[labelDigest] = sent.CustomJob.Labels[labelDigest]
	for _, v := range planned.JobSpec.WorkerPoolSpecs[0].GetContainerSpec().Env {
		if v.Name == "HF_TOKEN" {
			v.Value = "hunter2"
		}
	}
	assert.True(t, proto.Equal(&planned, sent.CustomJob), "%s", shown.Body)

	s.Key, s.RunId, s.RunToken = "", "", ""
	plan, err = h.Plugin.Plan(h.Ctx(), &operatorv1.PlanRequest{Target: h.Target, Step: s})
	require.NoError(t, err)
	assert.Contains(t, plan.Request, "(known at launch: the key of the attempt)")
	assert.NotContains(t, plan.Request, placeholderKey)
}

func TestRefusedBeforeAnythingIsSent(t *testing.T) {
	h := newHarness(t, false)
	for name, c := range map[string]struct {
		change func(s *operatorv1.Step)
		at     string
		want   string
	}{
		"accelerator": {func(s *operatorv1.Step) {
			s.Settings = h.Settings(map[string]any{"accelerator_type": "NVIDIA_TESLA_T5"})
		}, "settings.accelerator_type", "did you mean NVIDIA_TESLA_T4?"},
		"two kinds": {func(s *operatorv1.Step) {
			s.Settings = h.Settings(map[string]any{"accelerator_type": "NVIDIA_L4"})
			s.Resources = &operatorv1.Resources{GpuType: "t4"}
		}, "resources.gpu_type", "the step asks for t4, but accelerator_type is NVIDIA_L4"},
		"machine too small": {func(s *operatorv1.Step) {
			s.Settings = h.Settings(map[string]any{"machine_type": "n1-standard-4"})
			s.Resources = &operatorv1.Resources{MemoryBytes: 64 << 30}
		}, "resources.memory", "the step asks for 64 GiB of memory, but n1-standard-4 has 15 GiB"},
		"disk": {func(s *operatorv1.Step) {
			s.Settings = h.Settings(map[string]any{"boot_disk_size_gb": 100})
			s.Resources = &operatorv1.Resources{DiskBytes: 200 << 30}
		}, "resources.disk", "boot_disk_size_gb is 100"},
		"own field": {func(s *operatorv1.Step) {
			s.Settings = h.Settings(map[string]any{"additional_training_job_args": map[string]any{"scheduling": map[string]any{"timeout": "1s"}}})
		}, "settings.additional_training_job_args", "scheduling is set by stephost itself"},
		"no field": {func(s *operatorv1.Step) {
			s.Settings = h.Settings(map[string]any{"additional_training_job_args": map[string]any{"spot": true}})
		}, "settings.additional_training_job_args", `unknown field "spot"`},
		"nodes without the shim": {func(s *operatorv1.Step) {
			s.Environment.GetImage().Shim, s.Resources = false, &operatorv1.Resources{Nodes: 2}
		}, "environment.image", "nodes > 1 needs"},
		"argument": {func(s *operatorv1.Step) { s.Environment.GetImage().Shim, s.Argv = false, []string{"echo", "$(HOME)"} }, "environment.image", "an argument with"},
		"secret": {func(s *operatorv1.Step) {
			s.AllowVisibleSecrets, s.Secrets = false, map[string]*operatorv1.Secret{"A": {Value: "b"}}
		}, "secrets", "allow_visible_secrets"},
		"job label": {func(s *operatorv1.Step) {
			s.Settings = h.Settings(map[string]any{"job_labels": map[string]any{"Team": "x"}})
		}, "settings.job_labels.Team", "begins with a small letter"},
	} {
		t.Run(name, func(t *testing.T) {
			s := h.Step("refused"+fitLabel(name), "true")
			c.change(s)
			r := h.Submit(s)
			require.NotNil(t, r.GetRejected(), "%v", r)
			require.NotEmpty(t, r.Diagnostics)
			assert.Equal(t, c.at, strings.Join(r.Diagnostics[0].Attribute, "."))
			assert.Equal(t, operatorv1.Class_CLASS_CONFIG, r.Diagnostics[0].Class)
			assert.Contains(t, r.Diagnostics[0].Summary+r.Diagnostics[0].Detail, c.want)
			v, err := h.Plugin.Validate(h.Ctx(), &operatorv1.ValidateRequest{Target: h.Target, Step: s})
			require.NoError(t, err)
			assert.NotEmpty(t, v.Diagnostics, "refused without network too")
		})
	}
	jobs, err := h.Jobs(h.Ctx())
	require.NoError(t, err)
	assert.Empty(t, jobs)
}

// showJSON is a message as the REST API takes it, the same each time.
func showJSON(t *testing.T, m proto.Message) string {
	text, err := protojson.Marshal(m)
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, json.Indent(&out, text, "", "  "))
	return out.String() + "\n"
}
