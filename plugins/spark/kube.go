package main

import (
	"context"
	"encoding/json"

	"github.com/stephost/stephost/plugins/kubernetes/job"
	"github.com/stephost/stephost/pluginsdk"
)

// On Kubernetes the driver is a Job, as the flavor `kubernetes` makes one, and
// spark-submit runs in its pod, in client mode. `--deploy-mode cluster` would need a
// Java and a Spark on the launching machine, whose process would have to be kept
// alive until there is a driver's pod, and looked for after every death; its name is
// not known before, and nothing of it is idempotent. A Job is made with one call
// under the attempt's key.

const (
	// jobPrefix begins the names of Jobs and executors.
	jobPrefix = "stephost"
	// requestTimeout is the longest wait for one answer of the API server.
	requestTimeout = "30s"
	// usualDriverUI is spark.ui.port: in its own pod nobody else has it.
	usualDriverUI = 4040
)

// job is the same operator's config for Jobs.
func (c Config) job() job.Config {
	return job.Config{Namespace: c.Namespace, Context: c.Context, Kubeconfig: c.Kubeconfig, InCluster: c.InCluster,
		JobNamePrefix: jobPrefix, RequestTimeout: requestTimeout, GPUResource: c.GPUResource}
}

// jobs are the settings for Jobs. What is not said here is as the flavor
// `kubernetes` has it by default.
func (set Settings) jobs(c Config) job.Settings {
	return job.Settings{
		ServiceAccount: c.ServiceAccount, AutomountToken: true,
		NodeSelector: set.NodeSelector, Tolerations: list(set.Tolerations), PodLabels: set.PodLabels, PodAnnotations: set.PodAnnotations,
		Volumes: list(set.Volumes), VolumeMounts: list(set.VolumeMounts),
		ImagePullSecrets: set.ImagePullSecrets, ImagePullPolicy: set.ImagePullPolicy,
		PodSecurity: set.PodSecurity, GracePeriod: set.GracePeriod, TTL: set.TTL,
		FailFast: []string{"InvalidImageName", "ErrImageNeverPull", "ImagePullBackOff", "CreateContainerConfigError"},
	}
}

// list is one JSON value of its elements.
func list(elements []json.RawMessage) json.RawMessage {
	text, _ := json.Marshal(elements) // it was JSON before
	return text
}

// make makes the request of a driver of this config.
func (c Config) make() job.Make {
	return func(of job.Config, s *pluginsdk.Step) (job.Request, error) { return driverRequest(c, of, s) }
}

// kubeScope is that of Jobs, by another name: one flavor's handles are nothing to
// another.
func (f *spark) kubeScope(ctx context.Context, c Config) (pluginsdk.Scope, error) {
	scope, err := f.kube.Scope(ctx, c.job())
	if err == nil {
		scope.ID, scope.Display = "spark:"+scope.ID, "Spark on "+scope.Display
	}
	return scope, err
}
