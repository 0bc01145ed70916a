//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/spark"
)

// TestStandalone runs applications on a real cluster.
func TestStandalone(t *testing.T) {
	dir, err := os.MkdirTemp("", "spc")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c, err := spark.Start(context.Background(), install, dir, 2)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Stop()) })
	t.Run("client", func(t *testing.T) { clientMode(t, c) })
	t.Run("cluster", func(t *testing.T) { clusterMode(t, c) })
	t.Run("cancel client", func(t *testing.T) { cancelled(t, c, "client") })
	t.Run("cancel cluster", func(t *testing.T) { cancelled(t, c, "cluster") })
	t.Run("example", func(t *testing.T) {
		onCluster(t, c).words("--cpu=1", "--memory=512MiB", "--nodes=2")
	})
	t.Run("lost answer", func(t *testing.T) { lostAnswer(t, c) })
}

func onCluster(t *testing.T, c *spark.Cluster, flags ...string) *world {
	return onClusterAt(t, c, c.REST, flags...)
}

// onClusterAt has another address for the cluster's REST server.
func onClusterAt(t *testing.T, c *spark.Cluster, rest string, flags ...string) *world {
	w := newWorld(t, append([]string{"--master=" + c.Master, "--master-ui=" + c.UI, "--rest-url=" + rest, "--shared-dir=" + t.TempDir()}, flags...)...)
	w.put("job.py", job)
	w.put("helper.py", helper)
	return w
}

// clientMode sets every field that Spark shows, and finds each on its own
// environment page.
func clientMode(t *testing.T, c *spark.Cluster) {
	w := onCluster(t, c)
	events := t.TempDir()
	w.put("conf.json", "{}")
	w.put("extra.py", "")
	zipFile(t, filepath.Join(w.source(), "data.zip"))
	zipFile(t, filepath.Join(w.source(), "lib.jar"))
	flags := []string{"--python", install.Python, "--cpu=1", "--memory=512MiB", "--nodes=2", "--pipeline", "words", "--step-name", "count",
		"--set", "driver_memory=600m", "--set", `jars=["lib.jar"]`, "--set", `py_files=["extra.py"]`, "--set", `files=["conf.json"]`,
		"--set", `archives=["data.zip#data"]`, "--set", "event_log_dir=" + events, "--set", "log_level=INFO"}
	o, r := w.launch(flags, append([]string{"python", "job.py", "fail"}, "a b", "", "n\nl")...)
	require.Equal(t, 5, o.code, "the step's own exit code\n%s\n%s", o.stdout, o.stderr)
	assert.Equal(t, "9900", line(t, o.stdout, "sum "), "executors have the step's source")
	assert.Equal(t, `["fail", "a b", "", "n\nl"]`, line(t, o.stdout, "argv "))
	var page environmentPage
	require.Len(t, r.Outputs, 1)
	page.read(t, r.Outputs[0].Location)
	for name, want := range map[string]string{
		"spark.master": c.Master, "spark.submit.deployMode": "client", "spark.driver.memory": "600m", "spark.executor.memory": "512m",
		"spark.executor.cores": "1", "spark.executor.instances": "2", "spark.cores.max": "2", "spark.eventLog.enabled": "true",
		"spark.eventLog.dir": events, "spark.log.level": "INFO", "spark.sql.shuffle.partitions": "2",
	} {
		assert.Equal(t, want, page.Spark[name], name)
	}
	for name, part := range map[string]string{
		"spark.app.name": "words/count ", "spark.jars": "/lib.jar", "spark.submit.pyFiles": "/extra.py", "spark.files": "/conf.json",
		"spark.archives": "data.zip#data", "spark.stephost.key": "",
	} {
		assert.Contains(t, page.Spark, name)
		assert.Contains(t, page.Spark[name], part, name)
	}
	logs, err := filepath.Glob(filepath.Join(events, "*app-*"))
	require.NoError(t, err)
	assert.NotEmpty(t, logs, "the event log lies where it was asked for")
}

// clusterMode: the driver runs on a worker, with arguments that no shell has seen.
func clusterMode(t *testing.T, c *spark.Cluster) {
	w := onCluster(t, c)
	o, r := w.launch([]string{"--python", install.Python, "--cpu=1", "--memory=512MiB", "--nodes=1", "--set", "deploy_mode=cluster", "--set", "driver_memory=512m", "--env", "PLAIN=p q"},
		append([]string{"python", "job.py", "fail"}, nasty()...)...)
	assert.Equal(t, 1, o.code, "failed, with no known code\n%s\n%s", o.stdout, o.stderr)
	assert.Equal(t, "user", r.Class)
	var got []string
	require.NoError(t, json.Unmarshal([]byte(line(t, o.stdout, "argv ")), &got))
	assert.Equal(t, append([]string{"fail"}, nasty()...), got)
	assert.Equal(t, `["p q", null]`, line(t, o.stdout, "env "))
	assert.Equal(t, "9900", line(t, o.stdout, "sum "))
	assert.Contains(t, r.Values, "application")
	require.Len(t, r.Outputs, 1)
	var page environmentPage
	page.read(t, r.Outputs[0].Location)
	assert.Equal(t, "512m", page.Spark["spark.driver.memory"])
	assert.Equal(t, "1", page.Spark["spark.cores.max"])
}

// cancelled: Ctrl-C comes back when driver and executors are gone.
func cancelled(t *testing.T, c *spark.Cluster, mode string) {
	w := onCluster(t, c)
	cmd := w.command("launch", "--operator", "op", "--source", w.source(), "--python", install.Python, "--cpu=1", "--memory=512MiB", "--nodes=2",
		"--env", "GATE="+filepath.Join(w.dir, "never"), "--set", "deploy_mode="+mode, "--set", "driver_memory=512m", "--", "python", "job.py", "hold")
	var stdout, stderr syncBuffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Start())
	timer := time.AfterFunc(2*hang, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	require.Eventually(t, func() bool { return strings.Contains(stdout.String(), "holding\n") }, hang, 100*time.Millisecond, "%s", &stderr)
	app := line(t, stdout.String(), "application ")
	require.NotEmpty(t, of(app), "there are executors")
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	_ = cmd.Wait()
	require.Equal(t, 130, cmd.ProcessState.ExitCode(), "%s\n%s", &stdout, &stderr)
	assert.Empty(t, of(app), "no executor is left")
	assert.Empty(t, processes(w.dir), "no process of the driver is left")
	assert.NotContains(t, master(t, c, "activeapps"), app)
}

// of lists the executors of an application.
func of(app string) []string {
	var found []string
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range all {
		text, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(text), "CoarseGrainedExecutorBackend") && strings.Contains(string(text), app) {
			found = append(found, path)
		}
	}
	return found
}

// master is a part of what the master's web UI tells.
func master(t *testing.T, c *spark.Cluster, part string) string {
	resp, err := http.Get(c.UI + "/json/")
	require.NoError(t, err)
	defer resp.Body.Close()
	var told map[string]json.RawMessage
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&told))
	return string(told[part])
}

// lostAnswer: the master makes a driver, and its answer never arrives. The run is
// unknown, stays so, and there is one driver.
func lostAnswer(t *testing.T, c *spark.Cluster) {
	target, err := url.Parse(c.REST)
	require.NoError(t, err)
	forward := httputil.NewSingleHostReverseProxy(target)
	lost := make(chan string, 8)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/create") {
			forward.ServeHTTP(w, r)
			return
		}
		answer := httptest.NewRecorder()
		forward.ServeHTTP(answer, r)
		var told struct {
			ID string `json:"submissionId"`
		}
		_ = json.Unmarshal(answer.Body.Bytes(), &told)
		lost <- told.ID
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
	}))
	defer proxy.Close()
	w := onClusterAt(t, c, proxy.URL)
	for range 2 {
		o, _ := w.launch([]string{"--run-token", "lost", "--set", "deploy_mode=cluster", "--set", "driver_memory=512m"}, "sleep", "3600")
		assert.Equal(t, 125, o.code, "%s", o.stderr)
		assert.Contains(t, o.stderr, "unknown")
	}
	require.Len(t, lost, 1, "one request")
	resp, err := http.Post(fmt.Sprintf("%s/v1/submissions/kill/%s", c.REST, <-lost), "application/json", nil)
	require.NoError(t, err)
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
}

// syncBuffer is a buffer that is read while a process writes to it.
type syncBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
