package main

import (
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"github.com/stephost/stephost/test/kube"
)

func TestAPIServer(t *testing.T) {
	for master, want := range map[string]string{
		"k8s://":                               "",
		"k8s://https://api.example:6443":       "https://api.example:6443",
		"k8s://https://api.example/clusters/a": "https://api.example/clusters/a",
		"k8s://https://10.0.0.1":               "https://10.0.0.1",
		"k8s://https://[fd00::1]:6443":         "https://[fd00::1]:6443",
		"k8s://https://127.0.0.1:6443":         "",
		"k8s://https://127.8.8.8":              "",
		"k8s://https://localhost:6443":         "",
		"k8s://https://[::1]:6443":             "",
		"k8s://https://localhost.example:1":    "https://localhost.example:1",
	} {
		assert.Equal(t, want, Config{Master: master}.apiServer(), master)
	}
	assert.False(t, Config{Master: "spark://localhost:7077"}.onLoopback())
}

func TestSamePort(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		same bool
	}{
		{"https://127.0.0.1:6443", "https://127.0.0.1:6443", true},
		{"https://localhost:6443", "https://[::1]:6443/", true},
		{"https://localhost", "https://127.0.0.1:443", true},
		{"http://localhost", "http://127.0.0.1:80", true},
		{"http://127.0.0.1:6443", "https://127.0.0.1:6443", false},
		{"https://127.0.0.1:6443", "https://127.0.0.1:6444", false},
		{"https://127.0.0.1:6443", "https://10.0.0.1:6443", false},
	} {
		assert.Equal(t, tc.same, samePort(tc.a, tc.b), "%s %s", tc.a, tc.b)
	}
}

// onLoopback: what the kubeconfig of a cluster on this machine has is taken, and any
// other address of this machine is refused before anything is made.
func onLoopback(t *testing.T, up *kube.Cluster) {
	h := newHarness(t)
	refusals := func(master string) (found []*operatorv1.Diagnostic) {
		target := h.onCluster(up, map[string]any{"master": master})
		stream, err := h.client.Prepare(h.ctx(), &operatorv1.PrepareRequest{Target: target, Step: h.kubeStep(nil, "train.py")})
		require.NoError(t, err)
		for {
			m, err := stream.Recv()
			if err == io.EOF {
				break
			}
			require.NoError(t, err)
			found = append(found, m.GetDiagnostics()...)
		}
		online, err := h.client.Validate(h.ctx(), &operatorv1.ValidateRequest{Target: target, Online: true})
		require.NoError(t, err)
		for _, d := range online.Diagnostics {
			if d.Attribute[1] == "master" {
				found = append(found, d)
			}
		}
		return found
	}
	assert.Empty(t, refusals("k8s://"))
	assert.Empty(t, refusals("k8s://"+up.Server))
	assert.Empty(t, refusals("k8s://https://api.example:6443"), "only pods can tell")
	found := refusals("k8s://https://127.0.0.1:1")
	require.Len(t, found, 2, "by a launch and by doctor")
	for _, d := range found {
		assert.Equal(t, []string{"config", "master"}, d.Attribute)
		assert.Contains(t, d.Summary+d.Detail, "the kubeconfig leads to "+up.Server)
	}

	r, err := h.client.Plan(h.ctx(), &operatorv1.PlanRequest{Target: h.onCluster(up, map[string]any{"master": "k8s://" + up.Server}), Step: h.kubeStep(nil, "train.py")})
	require.NoError(t, err)
	assert.NotContains(t, r.Request, up.Server)
	assert.Contains(t, r.Notes, "master k8s://"+up.Server+" -> the address that every pod has for its API server: a loopback address is this machine's own")
}
