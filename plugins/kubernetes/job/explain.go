package job

import (
	"context"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/stephost/stephost/plugins/kubernetes/internal/kube"
	"github.com/stephost/stephost/pluginsdk"
)

// Some waits are told by events only: a Job that gets no pods (quota, Pod
// Security, no such service account), a container that is not made (a volume that
// cannot be mounted). They are asked for when such a wait has lasted a while, ever
// more seldom.
const (
	explainAfter = 1500 * time.Millisecond
	explainMost  = time.Minute
	// eventsAsked bounds one answer.
	eventsAsked = 50
)

// explainer looks for the reason of one Job's wait. It belongs to one Watch.
type explainer struct {
	cluster *kube.Cluster
	about   types.UID
	timer   *time.Timer
	pause   time.Duration
	due     time.Time

	reason, message string
}

// news is ready when it is time to look.
func (e *explainer) news() <-chan time.Time {
	if e.timer == nil {
		return nil
	}
	return e.timer.C
}

func (e *explainer) stop() {
	if e.timer != nil {
		e.timer.Stop()
		e.timer = nil
	}
}

// explain fills in the reason of a wait that the objects themselves do not tell.
func (e *explainer) explain(ctx context.Context, job *batchv1.Job, pods []*corev1.Pod, st *pluginsdk.Status) {
	about := unexplained(job, pods, *st)
	if about == "" {
		e.stop()
		e.about, e.reason, e.message = "", "", ""
		return
	}
	if about != e.about {
		e.stop()
		e.about, e.reason, e.message = about, "", ""
		e.pause, e.due = explainAfter, time.Now().Add(explainAfter)
		e.timer = time.NewTimer(explainAfter)
	}
	if !time.Now().Before(e.due) {
		e.ask(ctx)
		e.pause = min(2*e.pause, explainMost)
		e.due = time.Now().Add(e.pause)
		e.stop()
		e.timer = time.NewTimer(e.pause)
	}
	if e.reason != "" {
		st.Reason, st.Message = e.reason, e.message
	}
}

// unexplained is the UID of the object whose events may tell why st waits.
func unexplained(job *batchv1.Job, pods []*corev1.Pod, st pluginsdk.Status) types.UID {
	switch {
	case job == nil:
	case st.Phase == pluginsdk.Queued && len(pods) == 0 && st.Reason == "":
		return job.UID
	case st.Phase == pluginsdk.Queued && st.Reason == "PodsMissing":
		return job.UID
	case st.Phase == pluginsdk.Provisioning && (st.Reason == "" || st.Reason == "ContainerCreating" || st.Reason == "PodInitializing"):
		for _, pod := range latest(byStart(pods)) {
			if waiting(pod).Phase == pluginsdk.Provisioning {
				return pod.UID
			}
		}
	}
	return ""
}

// ask takes the last warning about the object. That events cannot be read is no
// trouble of the run.
func (e *explainer) ask(ctx context.Context) {
	list, err := e.cluster.Events(ctx, metav1.ListOptions{
		FieldSelector: "type=Warning,involvedObject.uid=" + string(e.about), Limit: eventsAsked})
	if err != nil {
		return
	}
	var last time.Time
	for i := range list.Items {
		event := &list.Items[i]
		at := event.LastTimestamp.Time
		if at.IsZero() {
			at = event.EventTime.Time
		}
		if !at.Before(last) {
			last, e.reason, e.message = at, event.Reason, oneLine(event.Message)
		}
	}
}
