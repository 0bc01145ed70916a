//go:build linux

package spark

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRefused: what cannot apply with a master is refused when the operator is
// registered, with its reason. No plugin and no cluster is asked.
func TestRefused(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct {
		name, master string
		flags        []string
		says         string
	}{
		{"no address", "k8s://nonsense", nil, "k8s://https://HOST:PORT"},
		{"a directory of the launching machine", "k8s://", []string{"--shared-dir=/mnt"}, `"shared_dir" does not apply here`},
		{"its records", "k8s://", []string{"--state-dir=/mnt"}, `"state_dir" does not apply here`},
		{"its variables", "k8s://", []string{`--inherit-env=["A"]`}, `"inherit_env" does not apply here`},
		{"a standalone master's address", "k8s://", []string{"--master-ui=http://m:8080"}, "Only a standalone master"},
		{"shipping", "k8s://", []string{"--ship-environment=false"}, `"ship_environment" does not apply here`},
		{"a queue", "k8s://", []string{"--queue=ml"}, `"queue" does not apply here`},
		{"cluster mode", "k8s://", []string{"--deploy-mode=cluster"}, "on Kubernetes it always runs in the cluster"},
		{"a property with a field", "k8s://", []string{`--submit-kwargs={"spark.kubernetes.namespace"="x"}`}, "has a field of its own"},
		{"a property of another driver", "k8s://", []string{`--submit-kwargs={"spark.kubernetes.driver.label.a"="b"}`}, "which is a Job here"},
		{"an IPv6 address without brackets", "k8s://https://::1:6443", nil, "an IPv6 address in brackets"},
		{"half of its brackets", "k8s://https://[::1:6443", nil, "an IPv6 address in brackets"},
		{"two logins", "k8s://", []string{"--in-cluster", "--context=c"}, "With in_cluster no kubeconfig is used"},
		{"no image here", "local[2]", []string{"--base-image=python:3.11"}, "The flavor runs images when"},
		{"no namespace here", "local[2]", []string{"--namespace=ml"}, `"namespace" does not apply here`},
		{"no volumes here", "spark://m:7077", []string{`--volumes=[{name="a",empty_dir={}}]`}, `"volumes" does not apply here`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cmd := w.command(append([]string{"operator", "register", "op", "--flavor=spark", "--master=" + tc.master}, tc.flags...)...)
			out, err := cmd.CombinedOutput()
			require.Error(t, err, "%s", out)
			assert.Contains(t, strings.Join(strings.Fields(string(out)), " "), tc.says)
		})
	}
}
