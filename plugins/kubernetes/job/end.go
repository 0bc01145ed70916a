package job

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/stephost/stephost/plugins/kubernetes/internal/kube"
	"github.com/stephost/stephost/pluginsdk"
)

// A Job is ended by a deadline of zero seconds and an annotation that says why.
// Deleting it would end it too, and with it the only proof of how the run ended:
// Watch must be able to tell "cancelled" as long as `keeps`. Suspending it would
// keep the proof, but the Job would never be finished: its TTL would not count,
// and whoever resumes it runs the step again. The Job controller deletes the
// pods of a Job whose deadline has passed, makes no new ones, and calls it failed
// when they are gone.

// endTries bounds the attempts to change a Job that others change at the same
// time; the Job controller changes one a few times in its life.
const endTries = 10

// overdue tells whether, and why, a Job that waits is to be ended. at is when its
// state was confirmed.
func overdue(job *batchv1.Job, st pluginsdk.Status, at time.Time) *endNote {
	w, waits := watchOf(job, st)
	if !waits {
		return nil
	}
	if w.waitsInVain(st.Reason) {
		return &endNote{Class: int32(pluginsdk.ClassConfig), Reason: st.Reason, Message: oneLine(st.Message) + pullAdvice(job, st.Reason, st.Message)}
	}
	limit := time.Duration(w.Startup) * time.Second
	if limit == 0 || at.Sub(job.CreationTimestamp.Time) < limit {
		return nil
	}
	end := &endNote{Class: int32(pluginsdk.ClassTimeout), Reason: first(st.Reason, "PodStartupTimeout"),
		Message: oneLine(fmt.Sprintf("not all pods ran within pod_startup_timeout (%s): %s", limit, st.Message))}
	if st.Phase == pluginsdk.Queued {
		end.Class = int32(pluginsdk.ClassCapacity)
	}
	return end
}

// watchOf is what the settings say about waiting, if the Job waits and nobody
// ends it.
func watchOf(job *batchv1.Job, st pluginsdk.Status) (w watchNote, waits bool) {
	if st.Phase != pluginsdk.Queued && st.Phase != pluginsdk.Provisioning || incomplete(job) || endOf(job) != nil {
		return w, false
	}
	return w, json.Unmarshal([]byte(job.Annotations[noteWatch]), &w) == nil
}

// startupLeft is the time until overdue has to look again; 0 = it need not.
func startupLeft(job *batchv1.Job, st pluginsdk.Status, at time.Time) time.Duration {
	w, waits := watchOf(job, st)
	if !waits || w.Startup == 0 {
		return 0
	}
	return job.CreationTimestamp.Add(time.Duration(w.Startup) * time.Second).Sub(at)
}

// end marks the Job as ended and lets the Job controller end it. Only the first
// mark counts, and one that comes after the end changes nothing.
func (f *Flavor) end(ctx context.Context, cluster *kube.Cluster, name string, uid types.UID, note *endNote) error {
	note.At = time.Now().UTC().Truncate(time.Millisecond)
	text, err := json.Marshal(note)
	if err != nil {
		return err
	}
	for try := 0; ; try++ {
		job, err := cluster.Job(ctx, name)
		switch {
		case apierrors.IsNotFound(err), err == nil && job.UID != uid:
			return pluginsdk.ErrAlreadyOver
		case err != nil:
			return kube.Ask(err)
		case endOf(job) != nil:
			return nil
		case condition(job, batchv1.JobComplete) != nil, condition(job, batchv1.JobFailed) != nil:
			return pluginsdk.ErrAlreadyOver
		}
		spec := map[string]any{"activeDeadlineSeconds": 0}
		if incomplete(job) {
			// stephost itself suspended it, and a suspended Job has no deadline. With
			// one that has passed it gets no pods.
			spec["suspend"] = false
		}
		_, err = cluster.PatchJob(ctx, name, map[string]any{
			"metadata": map[string]any{"uid": uid, "resourceVersion": job.ResourceVersion,
				"annotations": map[string]any{noteEnd: string(text), noteIncomplete: nil}},
			"spec": spec,
		})
		if err == nil {
			return nil
		}
		if !apierrors.IsConflict(err) || try == endTries {
			return kube.Ask(err)
		}
	}
}
