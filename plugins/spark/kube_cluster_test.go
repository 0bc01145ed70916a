package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/durationpb"
	corev1 "k8s.io/api/core/v1"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"github.com/stephost/stephost/test/kube"
)

// lookEvery is how often a condition is looked at.
const lookEvery = 100 * time.Millisecond

// TestOnAControlPlane: on a real API server, without a kubelet. What a driver does is
// seen in test/kube/spark.
func TestOnAControlPlane(t *testing.T) {
	up := kube.ControlPlane(t)
	kubectl := func(t *testing.T, stdin string, args ...string) string {
		cmd := up.Kubectl(t.Context(), args...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "kubectl %v\n%s", args, out)
		return strings.TrimSpace(string(out))
	}
	t.Run("the plan is what the server takes", func(t *testing.T) {
		h := newHarness(t)
		s := h.kubeStep(everythingThere(), "app.jar")
		s.Resources = &operatorv1.Resources{Gpu: 2}
		r, err := h.client.Plan(h.ctx(), &operatorv1.PlanRequest{Target: h.onCluster(up, nil), Step: s})
		require.NoError(t, err)
		require.Empty(t, r.Diagnostics)
		assert.Contains(t, kubectl(t, r.Request, "create", "--dry-run=server", "-f", "-"), "created (server dry run)")
	})
	t.Run("restricted", func(t *testing.T) {
		// A namespace that enforces the level takes the driver's pod and an executor's, as
		// Spark makes it of the template.
		kubectl(t, "", "create", "namespace", "strict")
		kubectl(t, "", "label", "namespace", "strict", "pod-security.kubernetes.io/enforce=restricted")
		kubectl(t, "", "wait", "--for=create", "serviceaccount/default", "--timeout=1m", "-n", "strict")
		h := newHarness(t)
		r, err := h.client.Plan(h.ctx(), &operatorv1.PlanRequest{Target: h.onCluster(up, map[string]any{"namespace": "strict"}), Step: h.kubeStep(nil, "train.py")})
		require.NoError(t, err)
		driver, executor := podsOf(t, r.Request)
		executor.Name, executor.Spec.Containers[0].Image, executor.Spec.RestartPolicy = "executor", stepImage, corev1.RestartPolicyNever
		for _, pod := range []*corev1.Pod{driver, executor} {
			text, err := json.Marshal(pod)
			require.NoError(t, err)
			assert.Contains(t, kubectl(t, string(text), "create", "--dry-run=server", "-n", "strict", "-f", "-"), "created (server dry run)")
		}
	})
	t.Run("executors are awaited", func(t *testing.T) {
		h := newHarness(t)
		target := h.onCluster(up, nil)
		s := h.kubeStep(nil, "train.py")
		s.Secrets = map[string]*operatorv1.Secret{"TOKEN": {Value: "hunter2"}}
		accepted := h.submit(target, s).GetAccepted()
		require.NotNil(t, accepted)
		again := h.submit(target, s).GetAccepted()
		require.NotNil(t, again)
		assert.True(t, again.Existing, "one driver for a key")
		assert.Equal(t, accepted.Handle.Data, again.Handle.Data)
		require.Len(t, h.find(target).Jobs, 1)

		// An executor on a node: nobody but a kubelet ends it.
		kubectl(t, fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"exec-1","labels":{%q:%q}},
			"spec":{"nodeName":"n","containers":[{"name":"executor","image":"x"}]}}`, labelExecutorOf, key), "create", "-f", "-")
		stream, err := h.client.Watch(h.ctx(), &operatorv1.WatchRequest{Target: target, Handle: accepted.Handle, Key: key})
		require.NoError(t, err)
		_, err = h.client.Cancel(h.ctx(), &operatorv1.CancelRequest{Target: target, Handle: accepted.Handle, Key: key, Grace: durationpb.New(0)})
		require.NoError(t, err)
		waited := false
		for {
			e, err := stream.Recv()
			require.NoError(t, err)
			if end := e.GetTerminal(); end != nil {
				assert.Equal(t, operatorv1.Class_CLASS_CANCELLED, end.Class)
				break
			}
			if e.GetStatus().GetReason() == "ExecutorsEnding" && !waited {
				waited = true
				require.NotEmpty(t, kubectl(t, "", "get", "pod", "exec-1", "-o", "jsonpath={.metadata.deletionTimestamp}"), "the flavor deletes it itself")
				kubectl(t, "", "delete", "pod", "exec-1", "--force", "--grace-period=0")
			}
		}
		assert.True(t, waited, "the cancel was confirmed with an executor left")
	})
	t.Run("doctor", func(t *testing.T) {
		h := newHarness(t)
		look := func(config map[string]any) []*operatorv1.Diagnostic {
			r, err := h.client.Validate(h.ctx(), &operatorv1.ValidateRequest{Target: h.onCluster(up, config), Online: true})
			require.NoError(t, err)
			return r.Diagnostics
		}
		missing := look(nil)
		require.Len(t, missing, 1)
		assert.Equal(t, []string{"config", "service_account"}, missing[0].Attribute)
		assert.Contains(t, missing[0].Summary+missing[0].Detail, "the service account default of the namespace default may not create, get, list, watch, delete pods")
		none := look(map[string]any{"service_account": "nobody"})
		require.Len(t, none, 1)
		assert.Contains(t, none[0].Summary+none[0].Detail, "there is no service account nobody")
		kubectl(t, "", "create", "role", "spark", "--verb=create,get,list,watch,patch,delete,deletecollection", "--resource=pods")
		kubectl(t, "", "create", "rolebinding", "spark", "--role=spark", "--serviceaccount=default:default")
		require.Eventually(t, func() bool { return len(look(nil)) == 0 }, hang, lookEvery)
		// Who may nothing is told so; whose account may what, nobody can tell.
		var texts []string
		for _, d := range look(map[string]any{"context": "limited"}) {
			texts = append(texts, d.Summary+d.Detail)
		}
		assert.Contains(t, strings.Join(texts, "\n"), "may not: create jobs.batch")
	})
	t.Run("an address of this machine", func(t *testing.T) { onLoopback(t, up) })
	t.Run("GPUs that no node has", func(t *testing.T) {
		kubectl(t, `{"apiVersion":"v1","kind":"Node","metadata":{"name":"n"}}`, "create", "-f", "-")
		kubectl(t, "", "patch", "node", "n", "--subresource=status", "--type=merge", "-p", `{"status":{"allocatable":{"nvidia.com/gpu":"2"}}}`)
		h := newHarness(t)
		for most, step := range map[int]*operatorv1.Step{2: h.kubeStep(nil, "train.py"), 3: h.kubeStep(nil, "train.py"), 4: h.kubeStep(map[string]any{"driver_gpus": 4}, "train.py")} {
			step.Resources = &operatorv1.Resources{Gpu: int64(min(most, 3))}
			r, err := h.client.Validate(h.ctx(), &operatorv1.ValidateRequest{Target: h.onCluster(up, nil), Step: step, Online: true})
			require.NoError(t, err)
			if most <= 2 {
				assert.Empty(t, r.Diagnostics)
				continue
			}
			require.Len(t, r.Diagnostics, 1)
			assert.Contains(t, r.Diagnostics[0].Summary+r.Diagnostics[0].Detail, fmt.Sprintf("no node has %d of nvidia.com/gpu: the most is 2", most))
		}
	})
}

// onCluster is an operator on a cluster that is there; its scope is asked for.
func (h *harness) onCluster(up *kube.Cluster, config map[string]any) *operatorv1.Target {
	all := map[string]any{"kubeconfig": up.Kubeconfig, "namespace": "default"}
	for k, v := range config {
		all[k] = v
	}
	t := h.kubeTarget(all)
	scope, err := h.client.Scope(h.ctx(), &operatorv1.ScopeRequest{Target: t})
	require.NoError(h.t, err)
	t.Scope = scope.GetScope()
	return t
}

// TestScripts: they are what every shell of an image reads.
func TestScripts(t *testing.T) {
	for name, text := range map[string]string{"driver": homeScript + driverScript, "executor": homeScript + executorScript} {
		cmd := exec.Command("sh", "-n")
		cmd.Stdin = strings.NewReader(text)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s: %s", name, out)
	}
	// Without Spark the driver says what it misses, and ends with a code of its own.
	cmd := exec.Command("sh", "-c", homeScript+driverScript, "stephost-spark")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "SPARK_HOME=/nowhere", "JAVA_HOME=" + t.TempDir()}
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	assert.Equal(t, 78, cmd.ProcessState.ExitCode(), "%s", out)
	assert.Contains(t, string(out), "stephost: the image has no Java")
}

// TestExecutorScript: Java gets what Spark has set, each option as one argument.
func TestExecutorScript(t *testing.T) {
	java := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(java, "bin"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(java, "bin", "java"), []byte("#!/bin/sh\nfor a; do printf '%s\\n' \"$a\"; done\n"), 0o755))
	cmd := exec.Command("sh", "-c", homeScript+executorScript, "stephost-spark", "executor")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "SPARK_HOME=/opt/spark", "JAVA_HOME=" + java, "SPARK_JAVA_OPT_0=-Da=b c", "SPARK_JAVA_OPT_1=-Dq=\"'$x", "SPARK_JAVA_OPT_2=",
		"SPARK_EXECUTOR_MEMORY=512m", "SPARK_CONF_DIR=/opt/spark/conf", "SPARK_CLASSPATH=/extra.jar", "SPARK_DRIVER_URL=spark://CoarseGrainedScheduler@10.0.0.1:7078", "SPARK_EXECUTOR_ID=7",
		"SPARK_EXECUTOR_CORES=2", "SPARK_APPLICATION_ID=spark-1", "SPARK_EXECUTOR_POD_IP=10.0.0.2", "SPARK_RESOURCE_PROFILE_ID=0", "SPARK_EXECUTOR_POD_NAME=exec-7"}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Equal(t, []string{"-Da=b c", "-Dq=\"'$x", "", "-Xms512m", "-Xmx512m", "-cp", "/opt/spark/conf:/extra.jar:/opt/spark/jars/*",
		"org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend", "--driver-url", "spark://CoarseGrainedScheduler@10.0.0.1:7078", "--executor-id", "7",
		"--cores", "2", "--app-id", "spark-1", "--hostname", "10.0.0.2", "--resourceProfileId", "0", "--podName", "exec-7"}, strings.Split(strings.TrimSuffix(string(out), "\n"), "\n"))
}
