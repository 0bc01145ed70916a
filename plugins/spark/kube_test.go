package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

const stepImage = "registry.example/words@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// kubeTarget is an operator on Kubernetes whose cluster nobody asks.
func (h *harness) kubeTarget(config map[string]any) *operatorv1.Target {
	all := map[string]any{"master": "k8s://", "namespace": "ml", "kubeconfig": "/none", "in_cluster": false, "gpu_resource": "nvidia.com/gpu"}
	for k, v := range config {
		all[k] = v
	}
	return &operatorv1.Target{Operator: "op", FlavorVersion: h.about.Version, ManifestDigest: h.about.ManifestDigest, Config: h.values(Config{}, all)}
}

func (h *harness) kubeStep(settings map[string]any, argv ...string) *operatorv1.Step {
	all := map[string]any{"ship_environment": nil, "pod_security": "restricted", "termination_grace_period_seconds": 30, "ttl_seconds_after_finished": 691200}
	for k, v := range settings {
		all[k] = v
	}
	s := h.step(all, argv...)
	s.Environment = &operatorv1.Environment{Kind: &operatorv1.Environment_Image_{Image: &operatorv1.Environment_Image{Reference: stepImage, Shim: true}}}
	return s
}

// everythingThere are the settings that apply on Kubernetes, each with a value of its
// own.
func everythingThere() map[string]any {
	all := everything()
	for name, value := range map[string]any{
		"queue": nil, "ship_environment": nil, // refused there
		"driver_cores": 1.5, "node_selector": map[string]string{"pool": "ml"},
		"tolerations": []any{map[string]any{"key": "gpu", "operator": "Exists", "effect": "NoSchedule", "toleration_seconds": nil, "value": nil}},
		"pod_labels":  map[string]string{"team": "words"}, "pod_annotations": map[string]string{"note": "yes"},
		"volumes":            []any{map[string]any{"name": "data", "persistent_volume_claim": map[string]any{"claim_name": "words", "read_only": true}}},
		"volume_mounts":      []any{map[string]any{"name": "data", "mount_path": "/data"}},
		"image_pull_secrets": []string{"pull"}, "image_pull_policy": "Always", "pod_security": "restricted",
		"termination_grace_period_seconds": 45, "ttl_seconds_after_finished": 700000,
	} {
		all[name] = value
	}
	return all
}

// TestEveryFieldOnKubernetes sets every field and finds each in the Job, and in the
// template of executors in it.
func TestEveryFieldOnKubernetes(t *testing.T) {
	h := newHarness(t)
	for _, tc := range []struct {
		name, golden string
		config       map[string]any
		settings     map[string]any
		argv         []string
	}{
		{"jar", "every_field_kubernetes.yaml", map[string]any{"master": "k8s://https://api.example:6443", "spark_home": "/opt/own/spark", "java_home": "/opt/own/java", "service_account": "spark"}, everythingThere(), []string{"app.jar", "a b", "", "$(HOME)"}},
		{"least", "least_kubernetes.yaml", map[string]any{"spark_home": nil, "java_home": nil}, nil, []string{"python", "train.py", "n\nl"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := h.kubeStep(tc.settings, tc.argv...)
			if tc.settings != nil {
				s.Resources = &operatorv1.Resources{Gpu: 2}
				s.Env, s.Secrets = map[string]string{"LEVEL": "info"}, map[string]*operatorv1.Secret{"TOKEN": {Value: "hunter2"}}
			}
			r, err := h.client.Plan(h.ctx(), &operatorv1.PlanRequest{Target: h.kubeTarget(tc.config), Step: s})
			require.NoError(t, err)
			require.Empty(t, r.Diagnostics)
			assert.NotContains(t, r.Request, "hunter", "no secret stands in a plan")
			// The programs have tests of their own: they run on a cluster.
			text := r.Request
			for name, program := range map[string]string{"ALLOWED": allowedProgram, "PROGRAM": string(driverProgram)} {
				text = strings.Replace(text, block(program), "("+name+")", 1)
			}
			path := filepath.Join("testdata", tc.golden)
			if os.Getenv("UPDATE_GOLDEN") != "" {
				require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, string(want), text)
		})
	}
	for _, name := range attributes(Settings{}) {
		assert.Contains(t, everythingThere(), name, "everythingThere() knows every setting")
	}
}

// block is a text as the plan's YAML indents it below a variable.
func block(text string) string {
	return strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n          ")
}

// TestExecutorsGetNoSecrets: neither secrets nor the step's variables nor the
// driver's token reach executors.
func TestExecutorsGetNoSecrets(t *testing.T) {
	h := newHarness(t)
	s := h.kubeStep(nil, "train.py")
	s.Env, s.Secrets = map[string]string{"LEVEL": "info"}, map[string]*operatorv1.Secret{"TOKEN": {Value: "hunter2"}}
	r, err := h.client.Plan(h.ctx(), &operatorv1.PlanRequest{Target: h.kubeTarget(map[string]any{"spark_home": nil}), Step: s})
	require.NoError(t, err)
	require.Empty(t, r.Diagnostics)
	_, pod := podsOf(t, r.Request)
	require.Len(t, pod.Spec.Containers, 1)
	assert.Equal(t, []corev1.EnvVar{{Name: "HOME", Value: "/tmp"}}, pod.Spec.Containers[0].Env)
	require.NotNil(t, pod.Spec.AutomountServiceAccountToken)
	assert.False(t, *pod.Spec.AutomountServiceAccountToken)
	assert.Equal(t, map[string]string{labelExecutorOf: key}, pod.Labels)
}

// podsOf are the pods of a plan: the driver's, and the template of an executor's.
func podsOf(t *testing.T, plan string) (driver, executor *corev1.Pod) {
	t.Helper()
	text, _, _ := strings.Cut(plan, "\n---\n")
	var job batchv1.Job
	require.NoError(t, yaml.Unmarshal([]byte(text), &job))
	driver = &corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: job.Spec.Template.ObjectMeta, Spec: job.Spec.Template.Spec}
	driver.Name = "driver"
	for _, v := range step(&driver.Spec).Env {
		if v.Name == "STEPHOST_SPARK_EXECUTOR" {
			require.NoError(t, json.Unmarshal([]byte(v.Value), &executor))
		}
	}
	require.NotNil(t, executor)
	return driver, executor
}

// TestRefusedOnKubernetes: what cannot apply there is an error at its own place.
func TestRefusedOnKubernetes(t *testing.T) {
	h := newHarness(t)
	for _, tc := range []struct {
		name      string
		settings  map[string]any
		resources *operatorv1.Resources
		attribute []string
		text      string
	}{
		{"both cores", map[string]any{"executor_cores": 1}, &operatorv1.Resources{CpuMillis: 1000}, []string{"resources", "cpu"}, "executor_cores"},
		{"type of GPU", nil, &operatorv1.Resources{Gpu: 1, GpuType: "t4"}, []string{"resources", "gpu_type"}, "no types"},
		{"class without a jar", map[string]any{"main_class": "x.Y"}, nil, []string{"settings", "main_class"}, "no jar"},
		{"overhead", map[string]any{"submit_kwargs": map[string]string{"spark.driver.memoryOverhead": "much"}}, nil, []string{"settings", "submit_kwargs"}, "no amount"},
		{"factor", map[string]any{"submit_kwargs": map[string]string{"spark.driver.memoryOverheadFactor": "-1"}}, nil, []string{"settings", "submit_kwargs"}, "no factor"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := h.kubeStep(tc.settings, "train.py")
			s.Resources = tc.resources
			r, err := h.client.Validate(h.ctx(), &operatorv1.ValidateRequest{Target: h.kubeTarget(nil), Step: s})
			require.NoError(t, err)
			require.Len(t, r.Diagnostics, 1, "%v", r)
			assert.Equal(t, tc.attribute, r.Diagnostics[0].Attribute)
			assert.Contains(t, r.Diagnostics[0].Summary+r.Diagnostics[0].Detail, tc.text)
		})
	}
}

// TestAmountsOnKubernetes: a part of a processor is what a pod can have, and the
// executor has the threads for it.
func TestAmountsOnKubernetes(t *testing.T) {
	h := newHarness(t)
	s := h.kubeStep(nil, "train.py")
	s.Resources = &operatorv1.Resources{CpuMillis: 1500, MemoryBytes: 1 << 30, Nodes: 3}
	r, err := h.client.Plan(h.ctx(), &operatorv1.PlanRequest{Target: h.kubeTarget(nil), Step: s})
	require.NoError(t, err)
	require.Empty(t, r.Diagnostics)
	for _, want := range []string{"spark.executor.cores=2", "spark.kubernetes.executor.request.cores=1500m", "spark.kubernetes.executor.limit.cores=1500m",
		"spark.executor.memory=1024m", "spark.executor.instances=3", "parallelism: 1"} {
		assert.Contains(t, r.Request, want)
	}
}

func TestDriverContainer(t *testing.T) {
	const mib = 1 << 20
	for _, tc := range []struct {
		name   string
		memory string
		python bool
		own    map[string]string
		want   int64
	}{
		{"Spark's default", "", false, nil, (1024 + 384) * mib},
		{"of Python", "2g", true, nil, 2048*mib + 858993459},
		{"of a jar", "10g", false, nil, (10240 + 1024) * mib},
		{"least", "512m", true, nil, (512 + 384) * mib},
		{"overhead", "512m", true, map[string]string{"spark.driver.memoryOverhead": "100"}, 612 * mib},
		{"overhead with a unit", "512m", true, map[string]string{"spark.driver.memoryOverhead": "1g"}, (512 + 1024) * mib},
		{"factor", "4g", true, map[string]string{"spark.driver.memoryOverheadFactor": "0.5", "spark.kubernetes.memoryOverheadFactor": "0.1"}, (4096 + 2048) * mib},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := driverContainer(Settings{DriverMemory: tc.memory, SubmitKwargs: tc.own}, tc.python)
			require.NoError(t, err)
			assert.Equal(t, tc.want, got)
		})
	}
}
