package job

import (
	"context"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stephost/stephost/plugins/kubernetes/internal/kube"
	"github.com/stephost/stephost/pluginsdk"
)

// Find lists by label. Without a resource version a list is a quorum read
// (https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions),
// so it never answers UNDETERMINED.
func (f *Flavor) Find(ctx context.Context, c Config, q pluginsdk.Query) (pluginsdk.Found, error) {
	cluster, err := f.cluster(ctx, c)
	if err != nil {
		return pluginsdk.Found{}, err
	}
	selector := labelManaged + "=" + managedBy + "," + labelKey + "=" + q.Key
	if q.Key == "" {
		selector = labelManaged + "=" + managedBy + "," + labelToken + "=" + tokenHash(q.Token)
	}
	jobs, err := cluster.Jobs(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return pluginsdk.Found{}, kube.Ask(err)
	}
	if len(jobs.Items) == 0 {
		return pluginsdk.Found{}, namespaceThere(ctx, cluster)
	}
	pods, err := cluster.Pods(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return pluginsdk.Found{}, kube.Ask(err)
	}
	var found pluginsdk.Found
	for i := range jobs.Items {
		job := &jobs.Items[i]
		if q.Key == "" && job.Annotations[noteToken] != q.Token {
			continue // another token with the same hash
		}
		found.Jobs = append(found.Jobs, pluginsdk.Job{
			Handle: handleOf(job, false), Attempt: attemptOf(job), RequestDigest: job.Annotations[noteDigest],
			Incomplete: incomplete(job), Phase: judge(job, podsOf(job, pods.Items)).Phase,
			CreatedAt: job.CreationTimestamp.Time, RunID: job.Annotations[noteRun],
		})
	}
	return found, nil
}

// podsOf are the pods that the Job owns.
func podsOf(job *batchv1.Job, all []corev1.Pod) []*corev1.Pod {
	var own []*corev1.Pod
	for i := range all {
		if ownedBy(&all[i], job) {
			own = append(own, &all[i])
		}
	}
	return own
}

func ownedBy(pod *corev1.Pod, job *batchv1.Job) bool {
	owner := metav1.GetControllerOf(pod)
	return owner != nil && owner.UID == job.UID
}

// namespaceThere tells whether the namespace answers: in one that was deleted, or
// never was, nothing is found, and that is no news about a run. Who may not read
// namespaces is not told either way; the scope has been compared then.
func namespaceThere(ctx context.Context, cluster *kube.Cluster) error {
	_, err := cluster.NamespaceUID(ctx, cluster.Namespace)
	switch {
	case apierrors.IsNotFound(err):
		return pluginsdk.Auth(err)
	case err == nil, apierrors.IsForbidden(err):
		return nil
	}
	return kube.Ask(err)
}
