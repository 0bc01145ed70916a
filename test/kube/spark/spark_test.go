//go:build linux

package spark

import (
	"archive/zip"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSpark runs applications one after the other: each has three Javas.
func TestSpark(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shims(t)
	w.register()
	source := filepath.Join(w.dir, "src")
	require.NoError(t, os.Mkdir(source, 0o755))
	for name, text := range map[string]string{"job.py": job, "helper.py": helper, "extra.py": "", "conf.json": "{}"} {
		require.NoError(t, os.WriteFile(filepath.Join(source, name), []byte(text), 0o644))
	}
	zipFile(t, filepath.Join(source, "data.zip"))
	zipFile(t, filepath.Join(source, "lib.jar"))
	for _, tc := range []struct {
		name string
		run  func(*world, string)
	}{
		{"doctor", doctor}, {"forbidden", forbidden}, {"words", words}, {"recovered", recovered}, {"cancelled", cancelled}, {"starved", starved}, {"digits", digits},
		{"gpus", gpusOfPods}, {"packages", packagesOfMaven}, {"pull secrets", pullSecrets}, {"another cluster", elsewhere},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := *w
			w.t = t
			tc.run(&w, source)
		})
	}
}

// doctor says what the service account may not, and nothing where it may.
func doctor(w *world, _ string) {
	assert.NotContains(w.t, w.ok("doctor", "op"), "service account")
	w.ok("operator", "copy", "op", "lesser")
	w.ok("operator", "update", "lesser", "--service-account=default")
	cmd := w.command("doctor", "lesser")
	out, err := cmd.CombinedOutput()
	require.Error(w.t, err, "%s", out)
	assert.Contains(w.t, string(out), "the service account default of the namespace "+w.namespace+" may not create, get, list, watch, delete pods")
}

// forbidden: a driver that may not make executors says so, and fails at once.
func forbidden(w *world, source string) {
	e := w.start(source, "--operator", "lesser", "--", "python", "job.py", "fail").wait()
	assert.Equal(w.t, "config", e.Class, e.stderr)
	assert.Equal(w.t, "DriverCannotStart", e.Reason)
	assert.Contains(w.t, e.Message, "service account may not create, get, list, watch, delete pods in the namespace "+w.namespace)
}

// words is the example: word counts and a join over a million rows, which the step
// itself compares with the same computed without Spark.
func words(w *world, _ string) {
	e := w.start(filepath.Join(root, "examples", "spark"), "--nodes", "2", "--set", "driver_memory=600m",
		"--", "python", "words.py", "--rows", "1000000", "--data", "/share/words").wait()
	require.Zero(w.t, e.code, "%s\n%s", e.stdout, e.stderr)
	assert.Contains(w.t, e.stdout, "without Spark: the same\n")
	assert.Equal(w.t, "1000000", string(e.Values["rows"]))
	assert.Equal(w.t, `"word0"`, string(e.Values["top"]))
	assert.Empty(w.t, w.names("pods", "-l", "stephost.dev/executor-of"), "Spark has deleted its executors")
}

// recovered: host and plugin die while executors compute. Whoever comes next shows
// the whole log and the application's own exit code; there is one driver; arguments
// and secrets arrived, and every field stands where it belongs.
func recovered(w *world, source string) {
	events := filepath.Join(w.share(), "events")
	require.NoError(w.t, os.Mkdir(events, 0o777))
	require.NoError(w.t, os.Chmod(events, 0o777))
	w.env = append(w.env, "SECRET=s3cr3t-v4lue")
	args := append([]string{"--run-token", "t", "--nodes", "2", "--cpu", "1", "--env", "PLAIN=p q", "--secret", "TOKEN=env:SECRET", "--pipeline", "words", "--step-name", "count",
		"--set", `jars=["lib.jar"]`, "--set", `py_files=["extra.py"]`, "--set", `files=["conf.json"]`, "--set", `archives=["data.zip#data"]`,
		"--set", "event_log_dir=file:///share/events", "--set", "log_level=INFO", "--set", "driver_cores=1",
		"--set", `submit_kwargs={"spark.custom"="a b=c"}`,
		"--set", `pod_labels={team="words"}`, "--set", `pod_annotations={note="yes"}`, "--set", `node_selector={"kubernetes.io/hostname"="node1"}`,
		"--set", `tolerations=[{key="gpu",operator="Exists",effect="NoSchedule"}]`, "--set", "termination_grace_period_seconds=20",
		"--", "python", "job.py", "hold"}, nasty()...)
	p := w.start(source, args...)
	p.sees("holding\n")
	require.Eventually(w.t, func() bool {
		return strings.Contains(w.ok("run", "show", "--token", "t", "--operator", "op"), "stages 3/4")
	}, hang, look, "stages are shown as progress")
	w.fields()
	for _, pid := range children(p.cmd.Process.Pid) {
		_ = syscall.Kill(pid, syscall.SIGKILL) // the plugin
	}
	require.NoError(w.t, p.cmd.Process.Kill())
	<-p.over
	require.NoError(w.t, os.WriteFile(filepath.Join(w.share(), "gate"), nil, 0o644))

	e := w.start(source, args...).wait()
	require.Equal(w.t, 3, e.code, "%s\n%s", e.stdout, e.stderr)
	assert.Equal(w.t, "user", e.Class)
	var got, expected any
	want, err := json.Marshal(append([]string{"hold"}, nasty()...))
	require.NoError(w.t, err)
	require.NoError(w.t, json.Unmarshal([]byte(line(w.t, e.stdout, "argv ")), &got))
	require.NoError(w.t, json.Unmarshal(want, &expected))
	assert.Equal(w.t, expected, got)
	assert.Equal(w.t, `["p q", "s3cr3t-v4lue"]`, line(w.t, e.stdout, "env "))
	assert.Equal(w.t, `[null, null, false, 1000]`, line(w.t, e.stdout, "executors "), "no variable, no secret, no token, and not root")
	assert.Equal(w.t, "9900", line(w.t, e.stdout, "sum "))
	for i := range 300 {
		require.Equal(w.t, 1, strings.Count(e.stdout, "line "+strconv.Itoa(i)+"\n"), "each line once")
	}
	assert.Len(w.t, w.names("jobs", "-l", "stephost.dev/step=count"), 1, "one driver")
	assert.Empty(w.t, w.names("secrets"), "leftovers are removed at the end")
	w.page(events)
}

// fields looks at the objects of the running application.
func (w *world) fields() {
	all := w.kubectl("get", "jobs,pods", "-o", "yaml")
	assert.NotContains(w.t, all, "s3cr3t-v4lue", "the secret is a Secret and nowhere else")
	assert.Len(w.t, w.names("secrets"), 1)
	type pod struct {
		Metadata struct {
			Labels, Annotations map[string]string
			OwnerReferences     []struct{ Kind, Name string }
		}
		Spec struct {
			NodeSelector                  map[string]string
			ServiceAccountName            string
			TerminationGracePeriodSeconds int
			Tolerations                   []struct{ Key, Operator, Effect string }
			Containers                    []struct {
				Resources struct{ Requests, Limits map[string]string }
			}
			AutomountServiceAccountToken bool
		}
	}
	var list struct{ Items []pod }
	require.NoError(w.t, json.Unmarshal([]byte(w.kubectl("get", "pods", "-l", "team=words", "-o", "json")), &list))
	require.Len(w.t, list.Items, 3, "a driver and two executors")
	executors := 0
	for _, p := range list.Items {
		assert.Equal(w.t, "yes", p.Metadata.Annotations["note"])
		assert.Equal(w.t, "node1", p.Spec.NodeSelector["kubernetes.io/hostname"])
		assert.Equal(w.t, account, p.Spec.ServiceAccountName)
		assert.Equal(w.t, 20, p.Spec.TerminationGracePeriodSeconds)
		assert.Contains(w.t, p.Spec.Tolerations, struct{ Key, Operator, Effect string }{"gpu", "Exists", "NoSchedule"})
		resources := p.Spec.Containers[0].Resources
		require.Len(w.t, p.Metadata.OwnerReferences, 1)
		if p.Metadata.Labels["stephost.dev/executor-of"] == "" {
			assert.True(w.t, p.Spec.AutomountServiceAccountToken)
			assert.Equal(w.t, map[string]string{"cpu": "1", "memory": "896Mi"}, resources.Limits)
			continue
		}
		executors++
		assert.False(w.t, p.Spec.AutomountServiceAccountToken)
		assert.Equal(w.t, "Pod", p.Metadata.OwnerReferences[0].Kind, "they go with the driver's pod")
		assert.Equal(w.t, "896Mi", resources.Limits["memory"])
		assert.Equal(w.t, "100m", resources.Requests["cpu"])
	}
	assert.Equal(w.t, 2, executors)
}

// page looks at what Spark itself says about the application.
func (w *world) page(events string) {
	var page map[string]string
	text, err := os.ReadFile(filepath.Join(w.share(), "page.json"))
	require.NoError(w.t, err)
	require.NoError(w.t, json.Unmarshal(text, &page))
	for name, want := range map[string]string{
		"spark.submit.deployMode": "client", "spark.driver.memory": "512m", "spark.executor.memory": "512m", "spark.executor.cores": "1",
		"spark.executor.instances": "2", "spark.eventLog.enabled": "true", "spark.eventLog.dir": "file:///share/events", "spark.log.level": "INFO",
		"spark.sql.shuffle.partitions": "2", "spark.custom": "a b=c", "spark.kubernetes.namespace": w.namespace, "spark.kubernetes.memoryOverheadFactor": "0.4",
		"spark.kubernetes.executor.limit.cores": "2",
	} {
		assert.Equal(w.t, want, page[name], name)
	}
	for name, part := range map[string]string{
		"spark.master": "k8s://https://10.", "spark.app.name": "words/count ", "spark.jars": "/lib.jar", "spark.submit.pyFiles": "/extra.py", "spark.files": "/conf.json",
		"spark.archives": "data.zip#data", "spark.stephost.key": "", "spark.kubernetes.container.image": cluster.Registry + "/steps@sha256:",
		"spark.kubernetes.driver.pod.name": "stephost-", "spark.driver.host": "10.98.",
	} {
		assert.Contains(w.t, page, name)
		assert.Contains(w.t, page[name], part, name)
	}
	logs, err := filepath.Glob(filepath.Join(events, "*spark-*"))
	require.NoError(w.t, err)
	assert.NotEmpty(w.t, logs, "the event log lies where it was asked for")
}

// cancelled: Ctrl-C is over when neither the driver nor executors are left.
func cancelled(w *world, source string) {
	require.NoError(w.t, os.RemoveAll(filepath.Join(w.share(), "gate")))
	p := w.start(source, "--nodes", "2", "--step-name", "held", "--", "python", "job.py", "hold")
	p.sees("holding\n")
	require.Len(w.t, w.names("pods", "-l", "stephost.dev/executor-of"), 2)
	require.NoError(w.t, p.cmd.Process.Signal(os.Interrupt))
	e := p.wait()
	assert.Equal(w.t, 130, e.code, "%s\n%s", e.stdout, e.stderr)
	assert.Equal(w.t, "cancelled", e.Class)
	assert.False(w.t, e.CancelUnconfirmed)
	assert.Empty(w.t, w.names("pods", "--field-selector=status.phase!=Succeeded,status.phase!=Failed"), "no pod is left that runs")
	assert.Eventually(w.t, func() bool {
		return len(w.names("pods", "-l", "stephost.dev/executor-of"))+len(w.names("pods", "-l", "stephost.dev/step=held")) == 0
	}, hang, look, "the API server removes those that have ended")
}

// starved: no node has room for the executors, which Spark waits for without an end. The
// status says so.
func starved(w *world, source string) {
	p := w.start(source, "--run-token", "starved", "--nodes", "1", "--cpu", "1", "--set", "executor_memory=4000g", "--", "python", "job.py", "hold")
	require.Eventually(w.t, func() bool {
		shown, _ := w.command("run", "show", "--token", "starved").CombinedOutput() // fails until there is a record
		return strings.Contains(string(shown), "1 of 1 executors wait: Unschedulable: ") && strings.Contains(string(shown), "Insufficient memory")
	}, hang, look)
	require.NoError(w.t, p.cmd.Process.Signal(os.Interrupt))
	e := p.wait()
	assert.Equal(w.t, 130, e.code, "%s\n%s", e.stdout, e.stderr)
}

// digits is the scikit-learn example, unchanged, as the driver of an application.
func digits(w *world, _ string) {
	e := w.start(filepath.Join(root, "examples", "digits"), "--", "python", "train.py", "--epochs", "20").wait()
	require.Zero(w.t, e.code, "%s\n%s", e.stdout, e.stderr)
	assert.Contains(w.t, e.stdout, "epoch 20/20 loss ")
	assert.True(w.t, strings.HasPrefix(string(e.Values["accuracy"]), "0.9"), "%s", e.Values["accuracy"])
}

// line is the rest of the only line that begins so.
func line(t *testing.T, text, prefix string) string {
	t.Helper()
	for l := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(l, prefix); ok {
			return strings.TrimSuffix(rest, "\n")
		}
	}
	require.Fail(t, "no line "+prefix, "%s", text)
	return ""
}

func children(pid int) []int {
	out, _ := exec.Command("ps", "-o", "pid=", "--ppid", strconv.Itoa(pid)).Output()
	var found []int
	for _, word := range strings.Fields(string(out)) {
		if n, err := strconv.Atoi(word); err == nil {
			found = append(found, n)
		}
	}
	return found
}

// zipFile makes an archive with one file in it; a jar is one.
func zipFile(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	require.NoError(t, err)
	z := zip.NewWriter(f)
	member, err := z.Create("readme.txt")
	require.NoError(t, err)
	_, err = member.Write([]byte("data\n"))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	require.NoError(t, f.Close())
}
