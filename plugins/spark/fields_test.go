package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// everything sets every setting that is not for Kubernetes alone; everythingThere
// (kube_test.go) those, too.
func everything() map[string]any {
	return map[string]any{
		"deploy_mode": "client", "submit_kwargs": map[string]string{"spark.sql.shuffle.partitions": "7", "spark.custom": "a b=c"},
		"main_class": "org.example.Main", "driver_memory": "700m", "executor_memory": "600m", "executor_cores": 2, "executors": 3,
		"task_gpus": 0.25, "driver_gpus": 1, "gpu_discovery_script": "/opt/gpus.sh", "packages": []string{"g:a:1", "g:b:2"},
		"exclude_packages": []string{"g:c"}, "repositories": []string{"https://repo.example/m2"}, "jars": []string{"lib/a.jar", "/opt/b.jar", "hdfs://n/c.jar"},
		"py_files": []string{"extra.zip"}, "files": []string{"conf.json"}, "archives": []string{"data.zip#data"}, "event_log_dir": "/tmp/events",
		"log_level": "WARN", "queue": "ml", "ship_environment": true,
	}
}

// TestEveryField sets every field and finds each in spark-submit's command line, or
// in the request to the REST API. What Spark itself makes of them is seen in e2e.
func TestEveryField(t *testing.T) {
	h := newHarness(t)
	for _, tc := range []struct {
		name, golden string
		master       string
		settings     map[string]any
		argv         []string
	}{
		{"standalone", "every_field_client.json", "spark://m1:7077,m2:7077", nil, []string{"app.jar", "a b", "", "n\nl"}},
		{"cluster", "every_field_cluster.json", "spark://m1:7077", map[string]any{"deploy_mode": "cluster"}, []string{"app.jar", "a b", ""}},
		{"yarn", "every_field_yarn.json", "yarn", nil, []string{"app.jar"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			settings := everything()
			for k, v := range tc.settings {
				settings[k] = v
			}
			s := h.step(settings, tc.argv...)
			s.Resources = &operatorv1.Resources{Gpu: 2}
			s.Env, s.Secrets = map[string]string{"LEVEL": "info"}, map[string]*operatorv1.Secret{"TOKEN": {Value: "hunter2"}}
			s.AllowVisibleSecrets = true
			got, r := h.plan(h.target(map[string]any{"master": tc.master, "shared_dir": "/mnt/shared", "rest_token": "hunter3", "inherit_env": []string{"SPARK_EXTRA"}}), s)
			require.Empty(t, r.Diagnostics)
			assert.NotContains(t, r.Request, "hunter", "no secret stands in a plan")
			golden(t, tc.golden, got)
		})
	}
}

// golden compares with a file of testdata, or writes it.
func golden(t *testing.T, name string, got any) {
	t.Helper()
	text, err := json.MarshalIndent(got, "", "  ")
	require.NoError(t, err)
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.WriteFile(path, append(text, '\n'), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.JSONEq(t, string(want), string(text))
}
