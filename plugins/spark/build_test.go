package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

func TestApplicationOf(t *testing.T) {
	for _, tc := range []struct {
		name string
		argv []string
		want application
	}{
		{"script", []string{"train.py", "a b", "", "n\nl"}, application{argv: []string{"/py", "train.py", "a b", "", "n\nl"}}},
		{"python", []string{"python", "-u", "train.py"}, application{argv: []string{"/py", "-u", "train.py"}}},
		{"python3.11", []string{"python3.11", "-m", "train"}, application{argv: []string{"/py", "-m", "train"}}},
		{"a Python of its own", []string{"/opt/bin/python3", "train.py"}, application{argv: []string{"/opt/bin/python3", "train.py"}}},
		{"command", []string{"sh", "-c", "true"}, application{argv: []string{"sh", "-c", "true"}}},
		{"jar", []string{"app.jar", "$(HOME)", "{{x}}"}, application{jar: "app.jar", argv: []string{"$(HOME)", "{{x}}"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := applicationOf(tc.argv, "/py", false)
			require.NoError(t, err)
			assert.Equal(t, tc.want, got)
		})
	}
	_, err := applicationOf([]string{"app.jar", "a\rb"}, "/py", false)
	assert.ErrorContains(t, err, "carriage return")
	_, err = applicationOf([]string{"app.jar", "a\rb"}, "/py", true)
	assert.NoError(t, err, "the REST API takes JSON")
}

// TestRefused: what Spark would ignore or round is an error at its own place.
func TestRefused(t *testing.T) {
	h := newHarness(t)
	for _, tc := range []struct {
		name, master string
		settings     map[string]any
		resources    *operatorv1.Resources
		attribute    []string
		text         string
	}{
		{"nodes on a local master", "local[2]", nil, &operatorv1.Resources{Nodes: 2}, []string{"resources", "nodes"}, "one machine"},
		{"gpu on a local master", "local[2]", nil, &operatorv1.Resources{Gpu: 1}, []string{"resources", "gpu"}, "no GPUs on a local master"},
		{"other threads", "local[2]", nil, &operatorv1.Resources{CpuMillis: 4000}, []string{"resources", "cpu"}, "local[*]"},
		{"both memories", "local[*]", map[string]any{"driver_memory": "1g"}, &operatorv1.Resources{MemoryBytes: 1 << 30}, []string{"resources", "memory"}, "leave one out"},
		{"a part of a core", "spark://m:7077", nil, &operatorv1.Resources{CpuMillis: 1500}, []string{"resources", "cpu"}, "whole cores"},
		{"both cores", "spark://m:7077", map[string]any{"executor_cores": 1}, &operatorv1.Resources{CpuMillis: 1000}, []string{"resources", "cpu"}, "executor_cores"},
		{"nodes without cores", "spark://m:7077", nil, &operatorv1.Resources{Nodes: 2}, []string{"resources", "nodes"}, "counts in cores"},
		{"type of GPU", "spark://m:7077", nil, &operatorv1.Resources{Gpu: 1, GpuType: "t4"}, []string{"resources", "gpu_type"}, "no types"},
		{"class without a jar", "local[2]", map[string]any{"main_class": "x.Y"}, nil, []string{"settings", "main_class"}, "no jar"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := h.step(tc.settings, "train.py")
			s.Resources = tc.resources
			target := h.target(map[string]any{"master": tc.master})
			r, err := h.client.Validate(h.ctx(), &operatorv1.ValidateRequest{Target: target, Step: s})
			require.NoError(t, err)
			require.Len(t, r.Diagnostics, 1, "%v", r)
			assert.Equal(t, tc.attribute, r.Diagnostics[0].Attribute)
			assert.Contains(t, r.Diagnostics[0].Summary+r.Diagnostics[0].Detail, tc.text)
			rejected := h.submit(target, s)
			require.NotNil(t, rejected.GetRejected(), "%v", rejected)
		})
	}
}

// TestAmounts: what resources become, as spark-submit gets it.
func TestAmounts(t *testing.T) {
	h := newHarness(t)
	s := h.step(nil, "train.py")
	s.Resources = &operatorv1.Resources{CpuMillis: 3000, MemoryBytes: 1<<30 + 1}
	p, _ := h.plan(h.target(map[string]any{"master": "local[*]"}), s)
	assert.Subset(t, p.Argv, []string{"local[3]", "1025m"}, "rounded up, never down")

	s.Resources.Nodes = 4
	p, _ = h.plan(h.target(map[string]any{"master": "spark://m:7077"}), s)
	assert.Subset(t, p.Argv, []string{"spark.executor.cores=3", "spark.executor.memory=1025m", "spark.executor.instances=4", "spark.cores.max=12"})
}

func TestSecretsInClusterMode(t *testing.T) {
	h := newHarness(t)
	s := h.step(map[string]any{"deploy_mode": "cluster"}, "train.py")
	s.Secrets = map[string]*operatorv1.Secret{"TOKEN": {Value: "hunter2"}}
	r := h.submit(h.target(map[string]any{"master": "spark://m:7077", "shared_dir": h.dir}), s)
	require.NotNil(t, r.GetRejected(), "%v", r)
	assert.Contains(t, r.Diagnostics[0].Summary+r.Diagnostics[0].Detail, "allow_visible_secrets")
}

// TestSparkOfTheRequirements: where nothing names a Spark, that of the step's own
// packages is taken; before they are there, a plan says so.
func TestSparkOfTheRequirements(t *testing.T) {
	h := newHarness(t)
	target := h.target(map[string]any{"master": "local[2]", "spark_home": nil})
	s := h.step(nil, "train.py")
	directory := s.Environment
	s.Environment = &operatorv1.Environment{Kind: &operatorv1.Environment_Raw_{Raw: &operatorv1.Environment_Raw{Requirements: []string{"pyspark"}}}}
	p, r := h.plan(target, s)
	require.Empty(t, r.Diagnostics)
	assert.Equal(t, "(known at launch: the pyspark of the step's requirements)/bin/spark-submit", p.Argv[0])

	s.Environment = directory
	_, r = h.plan(target, s)
	require.NotEmpty(t, r.Diagnostics)
	assert.Contains(t, r.Diagnostics[0].Summary+r.Diagnostics[0].Detail, "add pyspark to the step's requirements")

	h.put(filepath.Join(h.dir, "venv", "lib", "python3.11", "site-packages", "pyspark", "bin", "spark-submit"), 0o755)
	p, r = h.plan(target, s)
	require.Empty(t, r.Diagnostics)
	assert.Equal(t, "DIR/venv/lib/python3.11/site-packages/pyspark/bin/spark-submit", p.Argv[0])
}
