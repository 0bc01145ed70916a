package job

import (
	"encoding/json"
	"time"

	"github.com/stephost/stephost/plugins/kubernetes/internal/kube"
	"github.com/stephost/stephost/pluginsdk"
)

// Config is the operator's config; flavor.hcl explains it.
type Config struct {
	Namespace      string                       `stephost:"namespace"`
	Context        string                       `stephost:"context"`
	Kubeconfig     string                       `stephost:"kubeconfig"`
	InCluster      bool                         `stephost:"in_cluster"`
	JobNamePrefix  string                       `stephost:"job_name_prefix"`
	RequestTimeout string                       `stephost:"request_timeout"`
	GPUResource    string                       `stephost:"gpu_resource"`
	GPUTypeLabels  map[string]map[string]string `stephost:"gpu_type_labels"`
}

// Settings are the step's settings. What is JSON here has the shape of a
// Kubernetes type with names in snake case; the manifest has checked it.
type Settings struct {
	ServiceAccount   string            `stephost:"service_account"`
	AutomountToken   bool              `stephost:"automount_service_account_token"`
	NodeSelector     map[string]string `stephost:"node_selector"`
	Tolerations      json.RawMessage   `stephost:"tolerations"`
	Affinity         json.RawMessage   `stephost:"affinity"`
	PodLabels        map[string]string `stephost:"pod_labels"`
	PodAnnotations   map[string]string `stephost:"pod_annotations"`
	JobLabels        map[string]string `stephost:"job_labels"`
	JobAnnotations   map[string]string `stephost:"job_annotations"`
	Volumes          json.RawMessage   `stephost:"volumes"`
	VolumeMounts     json.RawMessage   `stephost:"volume_mounts"`
	ImagePullSecrets []string          `stephost:"image_pull_secrets"`
	ImagePullPolicy  string            `stephost:"image_pull_policy"`
	EnvFrom          json.RawMessage   `stephost:"env_from"`
	PodSecurity      string            `stephost:"pod_security"`
	SecurityContext  json.RawMessage   `stephost:"security_context"`
	ContainerContext json.RawMessage   `stephost:"container_security_context"`
	Privileged       bool              `stephost:"privileged"`
	HostIPC          bool              `stephost:"host_ipc"`
	PriorityClass    string            `stephost:"priority_class"`
	RuntimeClass     string            `stephost:"runtime_class"`
	GracePeriod      int64             `stephost:"termination_grace_period_seconds"`
	TTL              *int32            `stephost:"ttl_seconds_after_finished"`
	ActiveDeadline   *int64            `stephost:"active_deadline_seconds"`
	StartupTimeout   time.Duration     `stephost:"pod_startup_timeout"`
	FailFast         []string          `stephost:"fail_fast"`
	PodSpecPatch     json.RawMessage   `stephost:"pod_spec_patch"`
}

// place is where the config leads to.
func (c Config) place() (kube.Place, error) {
	timeout, err := time.ParseDuration(c.RequestTimeout)
	if err != nil || timeout <= 0 {
		return kube.Place{}, pluginsdk.Config("config.request_timeout", "%q is no duration above zero", c.RequestTimeout)
	}
	return kube.Place{Kubeconfig: c.Kubeconfig, Context: c.Context, Namespace: c.Namespace, InCluster: c.InCluster, RequestTimeout: timeout}, nil
}
