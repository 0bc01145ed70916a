package main

import (
	"encoding/json"
	"strings"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached"
	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
)

// Config is the operator's config; flavor.hcl explains it.
type Config struct {
	Master     string           `stephost:"master"`
	SparkHome  string           `stephost:"spark_home"`
	JavaHome   string           `stephost:"java_home"`
	StateDir   string           `stephost:"state_dir"`
	InheritEnv []string         `stephost:"inherit_env"`
	MasterUI   string           `stephost:"master_ui"`
	RestURL    string           `stephost:"rest_url"`
	RestToken  pluginsdk.Secret `stephost:"rest_token"`
	SharedDir  string           `stephost:"shared_dir"`
	// The rest is for masters on Kubernetes.
	Namespace      string `stephost:"namespace"`
	Context        string `stephost:"context"`
	Kubeconfig     string `stephost:"kubeconfig"`
	InCluster      bool   `stephost:"in_cluster"`
	ServiceAccount string `stephost:"service_account"`
	GPUResource    string `stephost:"gpu_resource"`
}

// Settings are the step's settings.
type Settings struct {
	DeployMode         string            `stephost:"deploy_mode"`
	SubmitKwargs       map[string]string `stephost:"submit_kwargs"`
	MainClass          string            `stephost:"main_class"`
	DriverMemory       string            `stephost:"driver_memory"`
	ExecutorMemory     string            `stephost:"executor_memory"`
	ExecutorCores      int64             `stephost:"executor_cores"`
	Executors          int64             `stephost:"executors"`
	TaskGPUs           float64           `stephost:"task_gpus"`
	DriverGPUs         int64             `stephost:"driver_gpus"`
	GPUDiscoveryScript string            `stephost:"gpu_discovery_script"`
	Packages           []string          `stephost:"packages"`
	ExcludePackages    []string          `stephost:"exclude_packages"`
	Repositories       []string          `stephost:"repositories"`
	Jars               []string          `stephost:"jars"`
	PyFiles            []string          `stephost:"py_files"`
	Files              []string          `stephost:"files"`
	Archives           []string          `stephost:"archives"`
	EventLogDir        string            `stephost:"event_log_dir"`
	LogLevel           string            `stephost:"log_level"`
	Queue              string            `stephost:"queue"`
	ShipEnvironment    bool              `stephost:"ship_environment"`
	// The rest is for masters on Kubernetes; what is JSON has the shape of a
	// Kubernetes type.
	DriverCores      float64           `stephost:"driver_cores"`
	NodeSelector     map[string]string `stephost:"node_selector"`
	Tolerations      []json.RawMessage `stephost:"tolerations"`
	PodLabels        map[string]string `stephost:"pod_labels"`
	PodAnnotations   map[string]string `stephost:"pod_annotations"`
	Volumes          []json.RawMessage `stephost:"volumes"`
	VolumeMounts     []json.RawMessage `stephost:"volume_mounts"`
	ImagePullSecrets []string          `stephost:"image_pull_secrets"`
	ImagePullPolicy  string            `stephost:"image_pull_policy"`
	PodSecurity      string            `stephost:"pod_security"`
	GracePeriod      int64             `stephost:"termination_grace_period_seconds"`
	TTL              *int32            `stephost:"ttl_seconds_after_finished"`
}

// cluster is the deploy mode in which the driver runs on a worker.
const cluster = "cluster"

// state is the state directory of the config.
func (f *spark) state(c Config) (jobdir.State, error) {
	return detached.State("spark", c.StateDir, f.getenv)
}

func (f *spark) getenv(name string) string {
	for _, kv := range f.environ() {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v
		}
	}
	return ""
}
