//go:build linux

package spark

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// gpuJob tells which GPUs Spark has given to the driver and to a task, and which
// address the driver asks for executors, and stays until the gate is there.
const gpuJob = `import json, os, time
from pyspark import TaskContext
from pyspark.sql import SparkSession

sc = SparkSession.builder.getOrCreate().sparkContext
print("master " + sc.master)
print("driver " + json.dumps(sc.resources["gpu"].addresses))
print("task " + json.dumps(sc.parallelize([0], 1).map(lambda _: TaskContext.get().resources()["gpu"].addresses).first()))
print("held", flush=True)
while not os.path.exists("/share/gpus"):
    time.sleep(0.1)
`

// gpuScript is what Spark wants of a discovery script.
const gpuScript = `#!/bin/sh
echo '{"name": "gpu", "addresses": ["7"]}'
`

// gpuResource is what pods ask for, gpus how many of them the node says it has: one
// for the driver and one for an executor.
const (
	gpuResource = "nvidia.com/gpu"
	gpuPath     = "/status/capacity/nvidia.com~1gpu"
	gpus        = "2"
)

// gpusOfPods: the node is told to have GPUs, as
// https://kubernetes.io/docs/tasks/administer-cluster/extended-resource-node/ has it.
// Pods get one each, and Spark gives tasks the address that the script says. The
// executors are asked for at an IPv6 address. Without a
// script, which a step may still bring when its operator is registered, a launch is
// refused.
func gpusOfPods(w *world, _ string) {
	w.node(`[{"op": "add", "path": "` + gpuPath + `", "value": "` + gpus + `"}]`)
	w.t.Cleanup(func() {
		w.node(`[{"op": "remove", "path": "` + gpuPath + `"}]`)
	})
	require.Eventually(w.t, func() bool { return w.allocatable()[gpuResource] == gpus }, hang, look, "the kubelet says what can be had")
	source := w.source(map[string]string{"gpu.py": gpuJob, "gpus.sh": gpuScript})

	for _, flags := range [][]string{{"--gpu", "1"}, {"--set", "driver_gpus=1"}} {
		out, err := w.command(slices.Concat([]string{"launch", "--operator", "op", "--source", source}, flags, []string{"--", "python", "gpu.py"})...).CombinedOutput()
		require.Error(w.t, err, "%s", out)
		assert.Contains(w.t, strings.Join(strings.Fields(string(out)), " "), "set gpu_discovery_script")
	}

	require.NotEmpty(w.t, cluster.Server6, "a kernel without IPv6 cannot run this test; see sysctl net.ipv6.conf.all.disable_ipv6")
	master := "k8s://" + cluster.Server6
	w.copied("six", "--master="+master)
	p := w.start(source, "--operator", "six", "--nodes", "1", "--gpu", "1", "--set", "driver_gpus=1", "--set", "gpu_discovery_script=./gpus.sh", "--pipeline", "gpus", "--set", `pod_labels={team="gpus"}`,
		"--", "python", "gpu.py")
	p.sees("held\n")
	type pod struct {
		Spec struct {
			Containers []struct {
				Resources struct{ Requests, Limits map[string]string }
			}
		}
	}
	var list struct{ Items []pod }
	require.NoError(w.t, json.Unmarshal([]byte(w.kubectl("get", "pods", "-l", "team=gpus", "-o", "json")), &list))
	assert.Len(w.t, list.Items, 2, "a driver and an executor")
	for _, p := range list.Items {
		resources := p.Spec.Containers[0].Resources
		assert.Equal(w.t, "1", resources.Limits[gpuResource])
		assert.Equal(w.t, "1", resources.Requests[gpuResource])
	}
	require.NoError(w.t, os.WriteFile(filepath.Join(w.share(), "gpus"), nil, 0o644))
	e := p.wait()
	require.Zero(w.t, e.code, "%s\n%s", e.stdout, e.stderr)
	assert.Equal(w.t, `["7"]`, line(w.t, e.stdout, "driver "))
	assert.Equal(w.t, `["7"]`, line(w.t, e.stdout, "task "))
	assert.Equal(w.t, master, line(w.t, e.stdout, "master "))
}

// node changes the node's status by a JSON patch.
func (w *world) node(patch string) {
	w.t.Helper()
	w.kubectl("patch", "node", cluster.NodeName, "--subresource=status", "--type=json", "-p", patch)
}

// allocatable is what the node's kubelet says pods can have.
func (w *world) allocatable() map[string]string {
	w.t.Helper()
	var out map[string]string
	require.NoError(w.t, json.Unmarshal([]byte(w.kubectl("get", "node", cluster.NodeName, "-o", "jsonpath={.status.allocatable}")), &out))
	return out
}
