package job

import (
	"context"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/stephost/stephost/plugins/kubernetes/internal/kube"
	"github.com/stephost/stephost/pluginsdk"
)

// What another flavor needs that runs something of its own in a Job: it makes the
// Job's settings of its own ones, has a last word about the Job before it is sent,
// and about the status of one that runs.

// Request is what a Job is made of.
type Request struct {
	Config   Config
	Settings Settings
	Step     *pluginsdk.Step
	// Shape changes the Job before it is shown or sent; nil = it stays as it is.
	Shape func(*batchv1.Job) error
	// Notes are for a plan.
	Notes []string
}

// Make makes the request of a step. It asks nobody; its errors are what a person
// wrote (class config).
type Make func(c Config, s *pluginsdk.Step) (Request, error)

// request makes that of the flavor `kubernetes`.
func request(c Config, s *pluginsdk.Step) (Request, error) {
	r := Request{Config: c, Step: s}
	return r, s.DecodeSettings(&r.Settings)
}

// Cluster is one namespace of one cluster.
type Cluster = kube.Cluster

// View is what a status was made of.
type View struct {
	Cluster *Cluster
	// Key is the attempt's.
	Key  string
	Job  *batchv1.Job
	Pods []*corev1.Pod
	// Acts: the caller may change something, as Watch does and Status does not.
	Acts bool
}

// Refine adds to a status what another flavor knows of its Job. A terminal status
// that becomes another one is held back.
type Refine func(ctx context.Context, v View, st pluginsdk.Status) (pluginsdk.Status, error)

// refineEvery is how often a Job that runs, or whose end is held back, is refined
// anew without any news of it.
const refineEvery = 2 * time.Second

func (f *Flavor) refined(ctx context.Context, cluster *Cluster, key string, job *batchv1.Job, pods []*corev1.Pod, st pluginsdk.Status, acts bool) (pluginsdk.Status, error) {
	if f.Refine == nil || job == nil {
		return st, nil
	}
	return f.Refine(ctx, View{Cluster: cluster, Key: key, Job: job, Pods: pods, Acts: acts}, st)
}

// Open is the namespace that a handle means.
func (f *Flavor) Open(ctx context.Context, c Config, h pluginsdk.Handle) (*Cluster, error) {
	cluster, _, err := f.open(ctx, c, h)
	return cluster, err
}

// Namespace is the one that the config means.
func (f *Flavor) Namespace(ctx context.Context, c Config) (*Cluster, error) { return f.cluster(ctx, c) }

// Ask makes "could not ask" of an error of the API server.
func Ask(err error) error { return kube.Ask(err) }

// Escape makes a text that Kubernetes expands to s, for what Shape adds.
func Escape(s string) string { return escape(s) }

// Ended tells whether no process of a pod is left.
func Ended(pod *corev1.Pod) bool { return ended(pod) }

// Container is the name of the step's container.
const Container = containerName

// RestrictedUser is the user and group of restricted pods.
const RestrictedUser = ordinaryUser
