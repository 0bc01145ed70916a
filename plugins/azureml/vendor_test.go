package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/internal/pyenv"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// installMost bounds the installation, on a slow network and a busy machine.
const installMost = 8 * time.Minute

// TestRequestsAreWhatMicrosoftDescribes checks requests with models that Microsoft
// makes from its API description (azure-ai-ml, API version 2025-12-01; the SDK for Go
// speaks 2024-04-01). It skips, loudly and never in CI, where there is neither Python
// nor a package index.
func TestRequestsAreWhatMicrosoftDescribes(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), installMost)
	defer cancel()
	env, err := pyenv.Of(ctx, "azureml", "testdata/apicheck.txt")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("SKIPPED: THE REQUESTS ARE NOT CHECKED AGAINST MICROSOFT'S OWN API DESCRIPTION: %v", err)
	}
	check := func(t *testing.T, request []byte) string {
		path := filepath.Join(t.TempDir(), "request.json")
		require.NoError(t, os.WriteFile(path, request, 0o600))
		text, err := exec.Command(env.Python, "testdata/apicheck.py", path).CombinedOutput()
		require.NoError(t, err, "%s", text)
		return string(text)
	}
	h := newHarness(t)
	cluster := h.Step("cluster", "true")
	cluster.Settings = h.Settings(map[string]any{"compute_name": "cpu-cluster"})
	cluster.Resources = &operatorv1.Resources{CpuMillis: 4000, Nodes: 2}
	for name, s := range map[string]*operatorv1.Step{"full": h.fullStep("full"), "plain": h.Step("plain", "true"), "cluster": cluster} {
		t.Run(name, func(t *testing.T) {
			h.Accepted(s)
			assert.Empty(t, check(t, h.JobOf(s.Key).Request))
		})
	}
	t.Run("a wrong one", func(t *testing.T) {
		text := check(t, []byte(`{"properties":{"jobType":"Command","command":1,"color":"red","status":"Running","queueSettings":{"jobTier":"Gold"}}}`))
		for _, want := range []string{".command: 1 is no", ".color: CommandJob has no such member", ".status: only the service", "'Gold' is none of", ".environmentId: CommandJob needs it"} {
			assert.Contains(t, text, want)
		}
	})
}
