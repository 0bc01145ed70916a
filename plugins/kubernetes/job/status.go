package job

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stephost/stephost/plugins/kubernetes/internal/kube"
	"github.com/stephost/stephost/pluginsdk"
)

// Status reads the Job and its pods. It changes nothing; Watch ends a Job that
// waits for what does not come.
func (f *Flavor) Status(ctx context.Context, c Config, h pluginsdk.Handle) (pluginsdk.Status, error) {
	cluster, data, err := f.open(ctx, c, h)
	if err != nil {
		return pluginsdk.Status{}, err
	}
	job, pods, err := read(ctx, cluster, data)
	if err != nil {
		return pluginsdk.Status{}, err
	}
	if job == nil {
		return lost(data), nil
	}
	return f.refined(ctx, cluster, data.Key, job, pods, judge(job, pods), false)
}

// read reads the Job of a handle and its pods with quorum reads. No Job and no
// error: it is certainly gone.
func read(ctx context.Context, cluster *kube.Cluster, data handleData) (*batchv1.Job, []*corev1.Pod, error) {
	job, err := cluster.Job(ctx, data.Name)
	if apierrors.IsNotFound(err) {
		return nil, nil, namespaceThere(ctx, cluster)
	}
	if err != nil {
		return nil, nil, kube.Ask(err)
	}
	if job.UID != data.UID {
		return nil, nil, nil // ours was deleted, and somebody made another one
	}
	pods, err := cluster.Pods(ctx, metav1.ListOptions{LabelSelector: batchv1.ControllerUidLabel + "=" + string(job.UID)})
	if err != nil {
		return nil, nil, kube.Ask(err)
	}
	return job, podsOf(job, pods.Items), nil
}

func lost(data handleData) pluginsdk.Status {
	return pluginsdk.Status{Phase: pluginsdk.Lost, Class: pluginsdk.ClassLost, Reason: "JobDeleted", NativeState: "deleted",
		Message: fmt.Sprintf("the Job %s/%s was deleted, and the proof of how it ended with it", data.Namespace, data.Name)}
}

// Watch reports what the shared watch tells of the Job, and ends a Job that waits
// for something that does not come: its settings say what that is, in the Job
// itself, so that everybody who watches does the same.
func (f *Flavor) Watch(ctx context.Context, c Config, h pluginsdk.Handle, report func(pluginsdk.Status)) error {
	cluster, data, err := f.open(ctx, c, h)
	if err != nil {
		return err
	}
	sub := f.hub(cluster).Subscribe(data.Key)
	defer sub.Close()
	why := &explainer{cluster: cluster}
	defer why.stop()
	// startup has the Job looked at again when its pods should run.
	startup := time.NewTimer(time.Hour)
	startup.Stop()
	defer startup.Stop()
	// again has the Job looked at anew where Refine may tell something new of it.
	again := time.NewTimer(time.Hour)
	again.Stop()
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-sub.Changed():
		case <-why.news():
		case <-again.C:
		case <-startup.C:
			sub.Refresh()
			continue
		}
		state := sub.State()
		if state.Err != nil {
			return kube.Ask(state.Err)
		}
		if !state.Known {
			continue
		}
		job := state.Job
		if job == nil || job.UID != data.UID {
			// The list goes by label, which somebody may have changed: the name decides.
			var pods []*corev1.Pod
			if job, pods, err = read(ctx, cluster, data); err != nil {
				return err
			}
			if job == nil {
				report(lost(data))
				return nil
			}
			state.Pods = pods
		}
		pods := slices.DeleteFunc(slices.Clone(state.Pods), func(p *corev1.Pod) bool { return !ownedBy(p, job) })
		st := judge(job, pods)
		st.ObservedAt = state.At
		if end := overdue(job, st, state.At); end != nil {
			if err := f.end(ctx, cluster, job.Name, job.UID, end); err != nil && !errors.Is(err, pluginsdk.ErrAlreadyOver) {
				return err
			}
			sub.Refresh()
		} else if left := startupLeft(job, st, state.At); left > 0 {
			startup.Reset(left)
		}
		if st.Phase == pluginsdk.Failed && culprit(pods) == nil && job.Status.Failed > 0 {
			// The two watches are not in step: the pod tells more than the Job.
			if job, pods, err = read(ctx, cluster, data); err != nil {
				return err
			}
			if job != nil {
				st = judge(job, pods)
			}
		}
		why.explain(ctx, job, pods, &st)
		over := st.Phase.Terminal()
		if st, err = f.refined(ctx, cluster, data.Key, job, pods, st, true); err != nil {
			return err
		}
		report(st)
		if f.Refine != nil && (over || st.Phase == pluginsdk.Running) {
			again.Reset(refineEvery)
		}
		if st.Phase.Terminal() {
			return nil
		}
	}
}

// waitsInVain tells whether a reason stands in the Job's fail-fast list.
func (w watchNote) waitsInVain(reason string) bool { return slices.Contains(w.FailFast, reason) }

// oneLine makes a native message fit for a status line.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
