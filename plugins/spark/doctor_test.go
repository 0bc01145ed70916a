package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// TestDoctor: what would fail is said before it does, at the attribute that mends
// it.
func TestDoctor(t *testing.T) {
	for _, tc := range []struct {
		name      string
		java      string
		config    map[string]any
		attribute string
		text      string
	}{
		{name: "fits", java: `echo 'openjdk version "17.0.15" 2025-04-15' >&2`},
		{name: "later", java: `echo 'openjdk version "21" 2023-09-19' >&2`},
		{name: "too old", java: `echo 'openjdk version "11.0.2" 2019-01-15' >&2`, attribute: "java_home", text: "needs Java 17 or later"},
		{name: "very old", java: `echo 'java version "1.8.0_292"' >&2`, attribute: "java_home", text: "needs Java 17 or later"},
		{name: "no version", java: `echo hello`, attribute: "java_home", text: "no version"},
		{name: "does not start", java: `exit 3`, attribute: "java_home", text: "exit status 3"},
		{name: "no Java", java: "", config: map[string]any{"java_home": "/nowhere"}, attribute: "java_home", text: "no bin/java"},
		{name: "no Spark", java: `echo 'openjdk version "17" 2021' >&2`, config: map[string]any{"spark_home": "/nowhere"}, attribute: "spark_home", text: "no bin/spark-submit"},
		{name: "no master", java: `echo 'openjdk version "17" 2021' >&2`, config: map[string]any{"master": "spark://127.0.0.1:1", "master_ui": "none"}, attribute: "master", text: "cannot be reached"},
		{name: "no web UI", java: `echo 'openjdk version "17" 2021' >&2`, config: map[string]any{"master": "spark://127.0.0.1:1", "master_ui": "http://127.0.0.1:1"}, attribute: "master_ui", text: "could not be confirmed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHarness(t)
			require.NoError(t, os.WriteFile(filepath.Join(h.java, "bin", "java"), []byte("#!/bin/sh\n"+tc.java+"\n"), 0o755))
			config := map[string]any{"master": "local[2]"}
			for k, v := range tc.config {
				config[k] = v
			}
			r, err := h.client.Validate(h.ctx(), &operatorv1.ValidateRequest{Target: h.target(config), Online: true})
			require.NoError(t, err)
			if tc.attribute == "" {
				assert.Empty(t, r.Diagnostics)
				return
			}
			require.NotEmpty(t, r.Diagnostics)
			assert.Equal(t, []string{"config", tc.attribute}, r.Diagnostics[0].Attribute)
			assert.Contains(t, r.Diagnostics[0].Summary+r.Diagnostics[0].Detail, tc.text)
		})
	}
}
