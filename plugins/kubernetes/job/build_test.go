package job

import (
	"context"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/durationpb"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/stephost/stephost/pluginsdk"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

var update = flag.Bool("update", false, "write the golden files anew")

// offline is the flavor behind its contract, without a cluster.
func offline(t *testing.T, config map[string]any) (*pluginsdk.Server, *operatorv1.Target) {
	t.Helper()
	server, err := pluginsdk.NewServer(manifest(t), pluginsdk.RemoteOf(New()))
	require.NoError(t, err)
	t.Cleanup(server.Close)
	values := map[string]any{"namespace": "ml", "context": nil, "kubeconfig": "/none", "in_cluster": false, "job_name_prefix": "stephost",
		"request_timeout": "30s", "gpu_resource": "nvidia.com/gpu",
		"gpu_type_labels": map[string]any{"t4": map[string]any{"nvidia.com/gpu.product": "Tesla-T4"}}}
	maps.Copy(values, config)
	text, err := json.Marshal(values)
	require.NoError(t, err)
	return server, &operatorv1.Target{Operator: "k8s", Project: "Ziffern 7", Config: &operatorv1.Values{Json: text}}
}

func plan(t *testing.T, config map[string]any, s *operatorv1.Step) *operatorv1.PlanResponse {
	t.Helper()
	server, target := offline(t, config)
	r, err := server.Plan(context.Background(), &operatorv1.PlanRequest{Target: target, Step: s})
	require.NoError(t, err)
	return r
}

// everything sets every setting and everything else that a step can say.
func everything() *operatorv1.Step {
	s := stepOf("golden")
	s.PipelineRun = "run 7"
	s.Labels = map[string]string{"team": "vision", "not a label!": "x", "cost": "not a value?"}
	s.Argv = []string{"python", "train.py", "--home=$(HOME)", "$$", ""}
	s.Env = map[string]string{"LOG_LEVEL": "info", "TEMPLATE": "$(LOG_LEVEL)", "RANK": "mine"}
	s.Secrets = map[string]*operatorv1.Secret{"HF_TOKEN": {Value: "s3cr3t"}, "odd name": {Value: "s3cr3t"}}
	s.Resources = &operatorv1.Resources{CpuMillis: 1500, MemoryBytes: 16 << 30, Gpu: 2, GpuType: "t4", Nodes: 3, DiskBytes: 20 << 30, SharedMemoryBytes: 1 << 30}
	s.Deadlines = &operatorv1.Deadlines{Provisioning: durationpb.New(20 * time.Minute), Run: durationpb.New(2 * time.Hour)}
	s.Settings = settingsOf(everySetting())
	return s
}

// everySetting has a value for every setting that differs from its default.
func everySetting() map[string]any {
	expression := map[string]any{"key": "zone", "operator": "In", "values": []any{"a", "b"}}
	selector := map[string]any{"match_labels": map[string]any{"app_name": "db"}, "match_expressions": []any{expression}}
	term := map[string]any{"topology_key": "kubernetes.io/hostname", "namespaces": []any{"other"}, "label_selector": selector}
	spread := map[string]any{
		"required_during_scheduling_ignored_during_execution":  []any{term},
		"preferred_during_scheduling_ignored_during_execution": []any{map[string]any{"weight": 5, "pod_affinity_term": term}},
	}
	fields := map[string]any{"match_expressions": []any{expression}, "match_fields": []any{map[string]any{"key": "metadata.name", "operator": "In", "values": []any{"n1"}}}}
	items := []any{map[string]any{"key": "k", "path": "p", "mode": 256}}
	return map[string]any{
		"service_account": "trainer", "automount_service_account_token": true,
		"node_selector": map[string]any{"disk_type": "ssd"},
		"tolerations":   []any{map[string]any{"key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoExecute", "toleration_seconds": 60}, map[string]any{"key": nil, "operator": "Exists", "value": nil, "effect": nil, "toleration_seconds": nil}},
		"affinity": map[string]any{
			"node_affinity": map[string]any{
				"required_during_scheduling_ignored_during_execution":  map[string]any{"node_selector_terms": []any{fields}},
				"preferred_during_scheduling_ignored_during_execution": []any{map[string]any{"weight": 10, "preference": fields}},
			},
			"pod_affinity": spread, "pod_anti_affinity": spread,
		},
		"pod_labels": map[string]any{"pod/label": "p"}, "pod_annotations": map[string]any{"pod/note": "p"},
		"job_labels": map[string]any{"kueue.x-k8s.io/queue-name": "q"}, "job_annotations": map[string]any{"job/note": "j"},
		"volumes": []any{
			map[string]any{"name": "e", "empty_dir": map[string]any{"medium": "Memory", "size_limit": "1Gi"}},
			map[string]any{"name": "h", "host_path": map[string]any{"path": "/data", "type": "Directory"}},
			map[string]any{"name": "p", "persistent_volume_claim": map[string]any{"claim_name": "c", "read_only": true}},
			map[string]any{"name": "c", "config_map": map[string]any{"name": "cm", "items": items, "default_mode": 288, "optional": true}},
			map[string]any{"name": "s", "secret": map[string]any{"secret_name": "sec", "items": items, "default_mode": 256, "optional": true}},
			map[string]any{"name": "n", "nfs": map[string]any{"server": "nfs", "path": "/x", "read_only": true}},
			map[string]any{"name": "d", "csi": map[string]any{"driver": "csi.example", "fs_type": "ext4", "read_only": true, "volume_attributes": map[string]any{"snake_key": "v"}}},
		},
		"volume_mounts":      []any{map[string]any{"name": "e", "mount_path": "/e", "sub_path": "sub", "read_only": true, "mount_propagation": "HostToContainer"}},
		"image_pull_secrets": []any{"pull"}, "image_pull_policy": "Always",
		"env_from":     []any{map[string]any{"prefix": "P_", "config_map_ref": map[string]any{"name": "cm", "optional": true}, "secret_ref": nil}, map[string]any{"prefix": nil, "config_map_ref": nil, "secret_ref": map[string]any{"name": "sec", "optional": nil}}},
		"pod_security": "privileged",
		"security_context": map[string]any{"run_as_user": 2000, "run_as_group": 2001, "run_as_non_root": true, "fs_group": 2002, "fs_group_change_policy": "OnRootMismatch",
			"supplemental_groups": []any{3000}, "seccomp_profile": map[string]any{"type": "Localhost", "localhost_profile": "p.json"},
			"se_linux_options": map[string]any{"user": "u", "role": "r", "type": "t", "level": "l"}, "sysctls": []any{map[string]any{"name": "net.core.somaxconn", "value": "1024"}}},
		"container_security_context": map[string]any{"run_as_user": 4000, "run_as_group": 4001, "run_as_non_root": true, "allow_privilege_escalation": true, "read_only_root_filesystem": true,
			"capabilities": map[string]any{"add": []any{"SYS_PTRACE"}, "drop": []any{"NET_RAW"}}, "seccomp_profile": map[string]any{"type": "Unconfined", "localhost_profile": nil},
			"se_linux_options": map[string]any{"user": "cu", "role": "cr", "type": "ct", "level": "cl"}},
		"privileged": true, "host_ipc": true, "priority_class": "high", "runtime_class": "nvidia",
		"termination_grace_period_seconds": 45, "ttl_seconds_after_finished": 700000, "active_deadline_seconds": 7200, "pod_startup_timeout": "10m",
		"fail_fast":      []any{"ErrImagePull"},
		"pod_spec_patch": map[string]any{"hostPID": true, "containers": []any{map[string]any{"name": "step", "stdin": true}}},
	}
}

func TestGoldenPlans(t *testing.T) {
	small := stepOf("golden")
	without := stepOf("golden")
	without.Key, without.RunId, without.RunToken = "", "", ""
	secret := stepOf("golden")
	secret.Secrets = map[string]*operatorv1.Secret{"HF_TOKEN": {Value: "s3cr3t"}}
	shim := stepOf("golden")
	shim.Environment.GetImage().Shim = true
	shim.Resources = &operatorv1.Resources{Nodes: 2}
	for name, s := range map[string]*operatorv1.Step{"small": small, "without-key": without, "secret": secret, "nodes": shim, "everything": everything()} {
		t.Run(name, func(t *testing.T) {
			r := plan(t, nil, s)
			require.Empty(t, r.Diagnostics)
			assert.Equal(t, "yaml", r.Format)
			assert.NotContains(t, r.Request, "s3cr3t")
			got := r.Request + "--- # notes\n# " + strings.Join(r.Notes, "\n# ") + "\n"
			path := filepath.Join("testdata", name+".yaml")
			if *update {
				require.NoError(t, os.MkdirAll("testdata", 0o755))
				require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, string(want), got)
		})
	}
}

// Every setting that the manifest has changes the request, and every value that a
// person wrote is found in it.
func TestEverySettingArrives(t *testing.T) {
	all := everySetting()
	var settings map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(settingsOf(nil).Json, &settings))
	assert.Equal(t, slices.Sorted(maps.Keys(settings)), slices.Sorted(maps.Keys(all)), "this test sets every setting")

	base := stepOf("golden")
	base.Settings = settingsOf(map[string]any{"pod_security": "privileged"})
	before := plan(t, nil, base).Request
	for name, value := range all {
		t.Run(name, func(t *testing.T) {
			s := stepOf("golden")
			changes := map[string]any{"pod_security": "privileged", name: value}
			if name == "pod_security" {
				before = plan(t, nil, stepOf("golden")).Request
			}
			s.Settings = settingsOf(changes)
			r := plan(t, nil, s)
			require.Empty(t, r.Diagnostics)
			assert.NotEqual(t, before, r.Request)
		})
	}

	s := everything()
	r := plan(t, nil, s)
	require.Empty(t, r.Diagnostics)
	var found []string
	for doc := range strings.SplitSeq(r.Request, "---\n") {
		var value any
		require.NoError(t, yaml.Unmarshal([]byte(doc), &value))
		found = append(found, leaves(value)...)
	}
	delete(all, "pod_security") // a level, not a value
	delete(all, "pod_startup_timeout")
	for _, leaf := range leaves(toJSON(t, all)) {
		assert.Contains(t, found, leaf)
	}
	assert.Contains(t, r.Request, `"startup":600`)
}

func toJSON(t *testing.T, v any) any {
	text, err := json.Marshal(v)
	require.NoError(t, err)
	var out any
	require.NoError(t, json.Unmarshal(text, &out))
	return out
}

// leaves are the scalars of a value, and the keys of maps that are no names of
// fields.
func leaves(v any) []string {
	switch v := v.(type) {
	case map[string]any:
		var out []string
		for _, item := range v {
			out = append(out, leaves(item)...)
		}
		return out
	case []any:
		var out []string
		for _, item := range v {
			out = append(out, leaves(item)...)
		}
		return out
	case nil:
		return nil
	case string:
		// The fail-fast list stands in an annotation.
		if strings.HasPrefix(v, `{"failFast"`) {
			return []string{"ErrImagePull"}
		}
		return []string{v}
	}
	text, _ := json.Marshal(v)
	return []string{string(text)}
}

func TestResources(t *testing.T) {
	r := plan(t, nil, everything())
	var job batchv1.Job
	require.NoError(t, yaml.UnmarshalStrict([]byte(strings.Split(r.Request, "---\n")[0]), &job))
	c := job.Spec.Template.Spec.Containers[0]
	for _, list := range []corev1.ResourceList{c.Resources.Requests, c.Resources.Limits} {
		assert.Equal(t, "1500m", list.Cpu().String())
		assert.Equal(t, "16Gi", list.Memory().String())
		assert.Equal(t, "20Gi", list.StorageEphemeral().String())
		gpu := list["nvidia.com/gpu"]
		assert.Equal(t, "2", gpu.String())
	}
	assert.Equal(t, "Tesla-T4", job.Spec.Template.Spec.NodeSelector["nvidia.com/gpu.product"])
	assert.EqualValues(t, 3, *job.Spec.Completions)
	assert.EqualValues(t, 3, *job.Spec.Parallelism)
	assert.EqualValues(t, (2*time.Hour+20*time.Minute+deadlineSlack)/time.Second, *job.Spec.Template.Spec.ActiveDeadlineSeconds)
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		config map[string]any
		change func(s *operatorv1.Step)
		at     string
		says   string
	}{
		"gpu_type without labels": {change: func(s *operatorv1.Step) { s.Resources = &operatorv1.Resources{Gpu: 1, GpuType: "h100"} },
			at: "resources.gpu_type", says: "gpu_type_labels"},
		"gpu_type against node_selector": {change: func(s *operatorv1.Step) {
			s.Resources = &operatorv1.Resources{Gpu: 1, GpuType: "t4"}
			s.Settings = settingsOf(map[string]any{"node_selector": map[string]any{"nvidia.com/gpu.product": "A100"}})
		}, at: "resources.gpu_type", says: "node_selector"},
		"NUL in an argument": {change: func(s *operatorv1.Step) { s.Argv = append(s.Argv, "a\x00b") }, at: "command.2"},
		"bad variable":       {change: func(s *operatorv1.Step) { s.Env = map[string]string{"A=B": "x"} }, at: "env.A=B"},
		"bad secret":         {change: func(s *operatorv1.Step) { s.Secrets = map[string]*operatorv1.Secret{"": {Value: "x"}} }, at: "secrets."},
		"no image":           {change: func(s *operatorv1.Step) { s.Environment = nil }, at: "environment"},
		"patch: unknown field": {change: func(s *operatorv1.Step) {
			s.Settings = settingsOf(map[string]any{"pod_spec_patch": map[string]any{"hostNetwrk": true}})
		}, at: "settings.pod_spec_patch", says: "hostNetwrk"},
		"patch: wrong type": {change: func(s *operatorv1.Step) {
			s.Settings = settingsOf(map[string]any{"pod_spec_patch": map[string]any{"hostNetwork": "maybe"}})
		}, at: "settings.pod_spec_patch"},
		"patch: restarts": {change: func(s *operatorv1.Step) {
			s.Settings = settingsOf(map[string]any{"pod_spec_patch": "restartPolicy: OnFailure"})
		}, at: "settings.pod_spec_patch", says: "Never"},
		"patch: the command": {change: func(s *operatorv1.Step) {
			s.Settings = settingsOf(map[string]any{"pod_spec_patch": map[string]any{"containers": []any{map[string]any{"name": "step", "command": []any{"sh"}}}}})
		}, at: "settings.pod_spec_patch", says: "command"},
		"patch: the step is gone": {change: func(s *operatorv1.Step) {
			s.Settings = settingsOf(map[string]any{"pod_spec_patch": map[string]any{"containers": []any{map[string]any{"name": "step", "$patch": "delete"}}}})
		}, at: "settings.pod_spec_patch", says: "step"},
		"patch: a list": {change: func(s *operatorv1.Step) { s.Settings = settingsOf(map[string]any{"pod_spec_patch": []any{}}) },
			at: "settings.pod_spec_patch", says: "object"},
		"request_timeout": {config: map[string]any{"request_timeout": "0s"}, at: "config.request_timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			server, target := offline(t, c.config)
			s := stepOf("refused")
			if c.change != nil {
				c.change(s)
			}
			r, err := server.Validate(context.Background(), &operatorv1.ValidateRequest{Target: target, Step: s})
			require.NoError(t, err)
			require.Len(t, r.Diagnostics, 1)
			assert.Equal(t, c.at, strings.Join(r.Diagnostics[0].Attribute, "."))
			assert.Equal(t, operatorv1.Class_CLASS_CONFIG, r.Diagnostics[0].Class)
			assert.Contains(t, r.Diagnostics[0].Summary+r.Diagnostics[0].Detail, c.says)
		})
	}
}

func TestAPatchInYAML(t *testing.T) {
	s := stepOf("yaml")
	s.Settings = settingsOf(map[string]any{"pod_spec_patch": "hostAliases:\n- {ip: 10.0.0.1, hostnames: [db]}\ncontainers:\n- name: step\n  workingDir: /work\n- name: side\n  image: side:1\n"})
	r := plan(t, nil, s)
	require.Empty(t, r.Diagnostics)
	var job batchv1.Job
	require.NoError(t, yaml.UnmarshalStrict([]byte(r.Request), &job))
	spec := job.Spec.Template.Spec
	require.Len(t, spec.Containers, 2)
	i := slices.IndexFunc(spec.Containers, func(c corev1.Container) bool { return c.Name == containerName })
	assert.Equal(t, "/work", spec.Containers[i].WorkingDir)
	assert.Equal(t, testImage, spec.Containers[i].Image)
	assert.Equal(t, "10.0.0.1", spec.HostAliases[0].IP)
}

func TestSecurityLevels(t *testing.T) {
	spec := func(changes map[string]any) corev1.PodSpec {
		s := stepOf("security")
		s.Settings = settingsOf(changes)
		var job batchv1.Job
		require.NoError(t, yaml.UnmarshalStrict([]byte(plan(t, nil, s).Request), &job))
		return job.Spec.Template.Spec
	}
	restricted := spec(nil)
	assert.True(t, *restricted.SecurityContext.RunAsNonRoot)
	assert.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, restricted.SecurityContext.SeccompProfile.Type)
	assert.False(t, *restricted.Containers[0].SecurityContext.AllowPrivilegeEscalation)
	assert.Equal(t, []corev1.Capability{"ALL"}, restricted.Containers[0].SecurityContext.Capabilities.Drop)
	assert.Contains(t, restricted.Containers[0].Env, corev1.EnvVar{Name: "HOME", Value: "/tmp"})

	one := spec(map[string]any{"security_context": map[string]any{"run_as_user": 7}})
	assert.EqualValues(t, 7, *one.SecurityContext.RunAsUser)
	assert.True(t, *one.SecurityContext.RunAsNonRoot, "the other fields keep the level's values")

	baseline := spec(map[string]any{"pod_security": "baseline"})
	assert.Nil(t, baseline.SecurityContext.RunAsUser)
	assert.NotNil(t, baseline.SecurityContext.SeccompProfile)
	assert.NotContains(t, baseline.Containers[0].Env, corev1.EnvVar{Name: "HOME", Value: "/tmp"})
	assert.Nil(t, spec(map[string]any{"pod_security": "privileged"}).SecurityContext.SeccompProfile)
}

func TestLabelValue(t *testing.T) {
	for in, want := range map[string]string{"": "", "train": "train", "my step/2": "my-step-2", "-x-": "x", "é": "", strings.Repeat("a", 62) + "/b": strings.Repeat("a", 62)} {
		assert.Equal(t, want, labelValue(in), in)
	}
}
