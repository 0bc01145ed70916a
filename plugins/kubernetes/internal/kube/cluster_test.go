package kube

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const kubeconfig = `apiVersion: v1
kind: Config
current-context: one
clusters:
- {name: a, cluster: {server: "https://a.example:6443"}}
- {name: b, cluster: {server: "https://b.example:6443"}}
users:
- {name: u, user: {token: t}}
contexts:
- {name: one, context: {cluster: a, user: u, namespace: ml}}
- {name: two, context: {cluster: b, user: u}}
`

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func TestOpen(t *testing.T) {
	file := write(t, "config", kubeconfig)
	for name, c := range map[string]struct {
		place           Place
		env             map[string]string
		host, namespace string
		says            string
	}{
		"the file's context":      {place: Place{Kubeconfig: file}, host: "https://a.example:6443", namespace: "ml"},
		"another context":         {place: Place{Kubeconfig: file, Context: "two"}, host: "https://b.example:6443", namespace: "default"},
		"a namespace":             {place: Place{Kubeconfig: file, Namespace: "x"}, host: "https://a.example:6443", namespace: "x"},
		"KUBECONFIG":              {env: map[string]string{"KUBECONFIG": file}, host: "https://a.example:6443", namespace: "ml"},
		"no such context":         {place: Place{Kubeconfig: file, Context: "three"}, says: "three"},
		"no such file":            {place: Place{Kubeconfig: "/no/such/file"}, says: "/no/such/file"},
		"a relative file":         {place: Place{Kubeconfig: "config"}, says: "absolute"},
		"nothing at all":          {env: map[string]string{"KUBECONFIG": "/no/such/file"}, says: "no kubeconfig"},
		"in_cluster, but outside": {place: Place{InCluster: true}, says: "in_cluster"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("KUBECONFIG", "")
			t.Setenv("KUBERNETES_SERVICE_HOST", "")
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			cluster, err := Open(c.place)
			if c.says != "" {
				var config *ConfigError
				require.ErrorAs(t, err, &config)
				assert.Contains(t, err.Error(), c.says)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.host, cluster.Host)
			assert.Equal(t, c.namespace, cluster.Namespace)
		})
	}
}

func TestFingerprint(t *testing.T) {
	file := write(t, "config", kubeconfig)
	place := Place{Kubeconfig: file, RequestTimeout: time.Second}
	before := place.Fingerprint()
	assert.Equal(t, before, place.Fingerprint())
	require.NoError(t, os.WriteFile(file, []byte(kubeconfig+"# a token was renewed\n"), 0o600))
	assert.NotEqual(t, before, place.Fingerprint())
	place.Context = "two"
	assert.NotEqual(t, before, place.Fingerprint())
}
