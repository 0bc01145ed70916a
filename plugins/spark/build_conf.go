package main

import (
	"fmt"
	"maps"
	"strconv"

	"github.com/stephost/stephost/pluginsdk"
)

// mebibyte is the unit in which Spark counts an executor's memory
// (JavaUtils.byteStringAsMb); what is not whole is rounded up.
const mebibyte = 1 << 20

// amounts of an application, as properties of Spark take them.
type amounts struct {
	master                       string
	driverMemory, executorMemory string
	executorCores, executors     int64
	// executorMillis is the CPU of an executor's pod in thousandths, driverContainer
	// the memory of the driver's in bytes (Kubernetes).
	executorMillis, driverContainer int64
}

// amountsOf makes them of the step's resources and settings. A value that both
// give is refused: neither is to be ignored.
func amountsOf(b *built, c Config, r pluginsdk.Resources, set Settings) (amounts, error) {
	a := amounts{master: c.Master, driverMemory: set.DriverMemory, executorMemory: set.ExecutorMemory,
		executorCores: set.ExecutorCores, executors: set.Executors}
	if r.GPUType != "" {
		return a, pluginsdk.Config("resources.gpu_type", "Spark counts GPUs and knows no types of them: leave gpu_type out")
	}
	if c.isLocal() {
		return a, a.local(b, c, r)
	}
	if r.CPUMillis%1000 != 0 && !c.onKubernetes() {
		return a, pluginsdk.Config("resources.cpu", "an executor has whole cores: %g is none", float64(r.CPUMillis)/1000)
	}
	for _, both := range []struct {
		path, name string
		from       int64
		given      bool
	}{
		{"resources.cpu", "executor_cores", r.CPUMillis, a.executorCores != 0},
		{"resources.memory", "executor_memory", r.MemoryBytes, a.executorMemory != ""},
		{"resources.nodes", "executors", r.Nodes, a.executors != 0},
	} {
		if both.from != 0 && both.given {
			return a, pluginsdk.Config(both.path, "the step's resources and its settings (%s) both say it: leave one out", both.name)
		}
	}
	if r.CPUMillis > 0 {
		a.executorCores = (r.CPUMillis + 999) / 1000
		b.note("cpu %g -> %d cores for each executor", float64(r.CPUMillis)/1000, a.executorCores)
	}
	if c.onKubernetes() {
		a.executorMillis = r.CPUMillis
	}
	if r.MemoryBytes > 0 {
		a.executorMemory = memory(r.MemoryBytes)
		b.note("memory %d bytes -> %s for each executor's Java", r.MemoryBytes, a.executorMemory)
	}
	if r.Nodes > 0 {
		a.executors = r.Nodes
		b.note("nodes %d -> %d executors", r.Nodes, r.Nodes)
	}
	if a.executors > 0 && a.executorCores == 0 && c.isStandalone() {
		return a, pluginsdk.Config("resources.nodes", "a standalone master counts in cores: with nodes or executors write cpu, too")
	}
	return a, nil
}

// local: the one process is driver and executor.
func (a *amounts) local(b *built, c Config, r pluginsdk.Resources) error {
	if r.Nodes > 1 {
		return pluginsdk.Config("resources.nodes", "the master %s is one machine, and the step asks for %d nodes", c.Master, r.Nodes)
	}
	if r.GPU > 0 {
		return pluginsdk.Config("resources.gpu", "Spark schedules no GPUs on a local master: leave gpu out; the driver sees those of the machine")
	}
	if r.CPUMillis > 0 {
		cores := (r.CPUMillis + 999) / 1000
		switch n := c.threads(); {
		case n == "*":
			a.master = fmt.Sprintf("local[%d]", cores)
			b.note("cpu %g -> master %s", float64(r.CPUMillis)/1000, a.master)
		case n != strconv.FormatInt(cores, 10):
			return pluginsdk.Config("resources.cpu", "the step asks for %g cores, and the operator's master is %s: write local[*] there, and the step decides",
				float64(r.CPUMillis)/1000, c.Master)
		}
	}
	if r.MemoryBytes > 0 {
		if a.driverMemory != "" {
			return pluginsdk.Config("resources.memory", "the step's resources and its settings (driver_memory) both say it: leave one out")
		}
		a.driverMemory = memory(r.MemoryBytes)
		b.note("memory %d bytes -> %s for the driver's Java; Python's own comes on top", r.MemoryBytes, a.driverMemory)
	}
	return nil
}

func memory(bytes int64) string {
	return strconv.FormatInt((bytes+mebibyte-1)/mebibyte, 10) + "m"
}

// properties are all of the application but for those that options of
// spark-submit are for.
func properties(b *built, c Config, s *pluginsdk.Step, set Settings, a amounts) map[string]string {
	p := map[string]string{}
	for k, v := range set.SubmitKwargs {
		p[k] = v
	}
	put := func(name, value string) {
		if value != "" {
			p[name] = value
		}
	}
	count := func(name string, n int64) {
		if n > 0 {
			p[name] = strconv.FormatInt(n, 10)
		}
	}
	put("spark.executor.memory", a.executorMemory)
	count("spark.executor.cores", a.executorCores)
	count("spark.executor.instances", a.executors)
	if c.isStandalone() && a.executors > 0 {
		// The scheduler of a standalone master knows no number of executors, only
		// how many cores the application may have ("Spark Standalone Mode").
		count("spark.cores.max", a.executors*a.executorCores)
	}
	if gpu := s.Resources.GPU; gpu > 0 {
		count("spark.executor.resource.gpu.amount", gpu)
		put("spark.executor.resource.gpu.discoveryScript", set.GPUDiscoveryScript)
		task := set.TaskGPUs
		if task == 0 {
			task = float64(gpu) / float64(max(a.executorCores, 1))
			b.note("gpu %d for each executor -> %g for each task", gpu, task)
		}
		put("spark.task.resource.gpu.amount", strconv.FormatFloat(task, 'g', -1, 64))
	}
	if set.DriverGPUs > 0 {
		count("spark.driver.resource.gpu.amount", set.DriverGPUs)
		put("spark.driver.resource.gpu.discoveryScript", set.GPUDiscoveryScript)
	}
	if set.EventLogDir != "" {
		put("spark.eventLog.enabled", "true")
		put("spark.eventLog.dir", set.EventLogDir)
	}
	put("spark.log.level", set.LogLevel)
	if c.Master == "yarn" {
		// YARN starts a driver twice unless told otherwise ("Running Spark on YARN").
		put("spark.yarn.maxAppAttempts", "1")
		put("spark.yarn.queue", set.Queue)
	}
	if c.onKubernetes() {
		maps.Copy(p, kubeProperties(c, s, set, a, p, b.app.jar == ""))
	}
	put("spark.stephost.key", s.Key)
	put("spark.stephost.run", s.RunID)
	return p
}
