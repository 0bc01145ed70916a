package job

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stephost/stephost/plugins/kubernetes/internal/kube"
	"github.com/stephost/stephost/pluginsdk"
)

// Cleanup removes what an ended Job left: Leftovers are its Secret and Service;
// Record is the Job, with its pods and their logs.
func (f *Flavor) Cleanup(ctx context.Context, c Config, h pluginsdk.Handle, what pluginsdk.What) error {
	cluster, data, err := f.open(ctx, c, h)
	if err != nil {
		return err
	}
	job, pods, err := read(ctx, cluster, data)
	if err != nil {
		return err
	}
	if job == nil {
		return nil // what it owned went with it
	}
	if st := judge(job, pods); !st.Phase.Terminal() && job.DeletionTimestamp == nil && !spent(job, pods) {
		return fmt.Errorf("the Job %s/%s is not over: %s", data.Namespace, data.Name, st.NativeState)
	}
	if what == pluginsdk.Record {
		return gone(cluster.DeleteJob(ctx, data.Name, data.UID))
	}
	secret := len(secretRefs(job.Spec.Template.Spec.Containers, data.Name)) > 0
	if secret {
		if err := remove(ctx, cluster, "secrets", data, func() (metav1.Object, error) { return cluster.Secret(ctx, data.Name) }); err != nil {
			return err
		}
	}
	if nodesOf(job) > 1 {
		return remove(ctx, cluster, "services", data, func() (metav1.Object, error) { return cluster.Service(ctx, data.Name) })
	}
	return nil
}

// spent tells whether a Job is over that does not say so yet: its controller has given
// it up, and its pods are gone, which were read after it. That lasts a second or two
// behind a cancel, whose verdict was read off the pod while there was one.
func spent(job *batchv1.Job, pods []*corev1.Pod) bool {
	return len(pods) == 0 && condition(job, batchv1.JobFailureTarget) != nil
}

// remove deletes an object of the Job's name if the Job owns it.
func remove(ctx context.Context, cluster *kube.Cluster, resource string, data handleData, get func() (metav1.Object, error)) error {
	o, err := get()
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return kube.Ask(err)
	}
	for _, owner := range o.GetOwnerReferences() {
		if owner.UID == data.UID {
			return gone(cluster.Delete(ctx, resource, data.Name))
		}
	}
	return nil
}

// gone takes "not there" for success. Another UID under the name is not ours.
func gone(err error) error {
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return kube.Ask(err)
}
