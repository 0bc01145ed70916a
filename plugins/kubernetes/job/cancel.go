package job

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/stephost/stephost/plugins/kubernetes/internal/kube"
	"github.com/stephost/stephost/pluginsdk"
)

// Cancel ends the Job and deletes its pods with the grace. "Cancelled" is what
// Watch says when no pod is left that has not ended.
//
// Crash cases: this process dies between the two acts (the Job controller deletes
// the pods with their own grace period); the step ends by itself meanwhile (its
// success is told, its failure is called cancelled).
func (f *Flavor) Cancel(ctx context.Context, c Config, h pluginsdk.Handle, o pluginsdk.CancelOptions) error {
	cluster, data, err := f.open(ctx, c, h)
	if err != nil {
		return err
	}
	job, pods, err := read(ctx, cluster, data)
	switch {
	case err != nil:
		return err
	case job == nil, judge(job, pods).Phase.Terminal():
		return pluginsdk.ErrAlreadyOver
	}
	if err := f.end(ctx, cluster, data.Name, data.UID, &endNote{Cancel: true, Reason: "Cancelled"}); err != nil {
		return err
	}
	// The Job controller deletes the pods with their own grace period. A second
	// deletion can only shorten that.
	grace := int64((o.Grace + time.Second - 1) / time.Second)
	if o.Force || grace < 1 {
		// Zero would take the pod out of the API before its processes are gone.
		grace = 1
	}
	var found []error
	for _, pod := range pods {
		if ended(pod) {
			continue
		}
		if err := f.deletePod(ctx, cluster, pod, grace); err != nil {
			found = append(found, err)
		}
	}
	if err := errors.Join(found...); err != nil {
		// It is being ended all the same.
		pluginsdk.Logger(ctx).Warn("the grace of a cancel is the pods' own", "job", data.Name, "error", err)
	}
	return nil
}

func (f *Flavor) deletePod(ctx context.Context, cluster *kube.Cluster, pod *corev1.Pod, grace int64) error {
	if own := pod.Spec.TerminationGracePeriodSeconds; own != nil && *own <= grace {
		return nil // what the Job controller does is the same
	}
	err := cluster.DeletePod(ctx, pod.Name, pod.UID, grace)
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}
