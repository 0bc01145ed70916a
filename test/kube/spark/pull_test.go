//go:build linux

package spark

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/image"
)

// The only user of the registry with a password; people is its file, with the bcrypt
// of the password as `htpasswd -B` writes it.
const (
	user     = "ann"
	password = "registry-pass-c2d8"
	people   = "ann:$2b$04$F1pOYevgrQqxZJUR15f3o..NUlvMUTq8nn4Or8hfMgB5v32yycBmu\n"
)

// pullSecrets: the registry asks everybody for a password. Who launches has it, the
// node has not: that is told, with what to do. With the Secret that the step names
// driver and executors are pulled, each anew.
//
// The master is the kubeconfig's own address here, as it is on the launching machine.
func pullSecrets(w *world, source string) {
	// It is another door to what the cluster's own registry has: nothing is uploaded twice.
	dir := w.t.TempDir()
	require.NoError(w.t, os.Symlink(filepath.Join(cluster.Dir, "registry"), filepath.Join(dir, "data")))
	registry, err := image.StartRegistryWith(dir, image.RegistryOptions{Htpasswd: people})
	require.NoError(w.t, err)
	w.t.Cleanup(registry.Stop)
	exposed, err := cluster.Expose(registry.Host, registry.Host)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = exposed.Close() })
	w.env = append(w.env, "STEPHOST_REGISTRY_USERNAME="+user, "STEPHOST_REGISTRY_PASSWORD="+password)
	w.copied("locked", "--master=k8s://"+cluster.Server, "--registry="+registry.Host+"/steps")
	launch := func(flags ...string) ended {
		w.t.Helper()
		return w.start(source, append(append([]string{"--operator", "locked", "--nodes", "1", "--set", "image_pull_policy=Always"}, flags...), "--", "python", "job.py", "fail")...).wait()
	}

	e := launch()
	assert.Equal(w.t, "config", e.Class, e.stderr)
	assert.Equal(w.t, "ImagePullBackOff", e.Reason)
	assert.Contains(w.t, e.Message, registry.Host+"/steps@sha256:")
	assert.Contains(w.t, e.Message, "image_pull_secrets")

	w.kubectl("create", "secret", "docker-registry", "pull", "--docker-server="+registry.Host, "--docker-username="+user, "--docker-password="+password)
	e = launch("--set", `image_pull_secrets=["pull"]`)
	require.Equal(w.t, 5, e.code, "%s\n%s", e.stdout, e.stderr)
	assert.Equal(w.t, "user", e.Class)
	assert.Equal(w.t, "9900", line(w.t, e.stdout, "sum "), "executors computed it")
	text, err := os.ReadFile(filepath.Join(w.share(), "page.json"))
	require.NoError(w.t, err)
	var page map[string]string
	require.NoError(w.t, json.Unmarshal(text, &page))
	assert.Equal(w.t, "k8s://https://10.222.0.1:443", page["spark.master"], "pods have their own address of the API server")
}

// elsewhere: an address on this machine that is not the kubeconfig's is another
// cluster. Nothing is made in the one that the kubeconfig leads to.
func elsewhere(w *world, source string) {
	w.copied("other", "--master=k8s://https://127.0.0.1:1")
	e := w.start(source, "--operator", "other", "--step-name", "astray", "--", "python", "job.py", "fail").wait()
	assert.Equal(w.t, "config", e.Class, e.stderr)
	assert.Contains(w.t, e.Message+e.stderr, "the kubeconfig leads to "+cluster.Server)
	assert.Empty(w.t, w.names("jobs", "-l", "stephost.dev/step=astray"))
}
