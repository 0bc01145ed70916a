package job

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/stephost/stephost/plugins/kubernetes/internal/kube"
	"github.com/stephost/stephost/plugins/kubernetes/internal/podlog"
	"github.com/stephost/stephost/pluginsdk"
)

// stream is the one stream of a container's log: Kubernetes mixes both, unless
// a feature that is off by default is on in every part of the cluster
// (PodLogsQuerySplitStreams, alpha since 1.32).
const stream = "stdout"

// Logs reads the log of the step's container in every pod of the Job: each is a
// source, by rank, and a further pod of a rank is a further epoch.
func (f *Flavor) Logs(ctx context.Context, c Config, h pluginsdk.Handle, r pluginsdk.LogRequest, w *pluginsdk.LogWriter) error {
	cluster, data, err := f.open(ctx, c, h)
	if err != nil {
		return err
	}
	l := &logs{cluster: cluster, data: data, request: r, writer: w, pods: map[string]*podLog{}}
	if !r.Follow {
		job, pods, err := read(ctx, cluster, data)
		if err != nil || job == nil {
			return err
		}
		return l.once(ctx, job, pods)
	}
	sub := f.hub(cluster).Subscribe(data.Key)
	defer sub.Close()
	return l.follow(ctx, sub)
}

// logs is one call of Logs.
type logs struct {
	cluster *kube.Cluster
	data    handleData
	request pluginsdk.LogRequest
	writer  *pluginsdk.LogWriter
	pods    map[string]*podLog // by UID
	nodes   atomic.Int32
}

// once reads what is there.
func (l *logs) once(ctx context.Context, job *batchv1.Job, pods []*corev1.Pod) error {
	for _, p := range l.update(job, pods) {
		if err := p.begin(); err != nil {
			return err
		}
		if p.over() {
			if err := p.finish(ctx, false); err != nil {
				return err
			}
			continue
		}
		if _, err := p.reader.Read(ctx, false); err != nil && !unreadable(err) {
			return asLogError(err)
		}
	}
	return nil
}

// follow reads until the Job is over and the log of every pod was read.
func (l *logs) follow(ctx context.Context, sub subscription) error {
	ctx, cancel := context.WithCancel(ctx)
	failed := make(chan error, 1)
	idle := make(chan struct{}, 1)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	start := func(begun []*podLog) {
		for _, p := range begun {
			all.Go(func() {
				err := p.follow(ctx)
				if err != nil {
					select {
					case failed <- err:
					default:
					}
				}
				p.finished.Store(true)
				select {
				case idle <- struct{}{}:
				default:
				}
			})
		}
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-failed:
			return err
		case <-sub.Changed():
		case <-idle:
		}
		state := sub.State()
		if state.Err != nil {
			// The readers go on: what they read is not less true.
			if len(l.pods) == 0 {
				return kube.Ask(state.Err)
			}
			continue
		}
		if !state.Known {
			continue
		}
		if state.Job == nil || state.Job.UID != l.data.UID {
			job, _, err := read(ctx, l.cluster, l.data)
			switch {
			case err != nil:
				return err
			case job != nil:
				continue // the label is gone; there is nothing to follow by
			}
			for _, p := range l.pods {
				p.closeOver()
			}
			if l.busy() {
				continue
			}
			return l.unread(nil)
		}
		pods := slices.DeleteFunc(slices.Clone(state.Pods), func(p *corev1.Pod) bool { return !ownedBy(p, state.Job) })
		start(l.update(state.Job, pods))
		if !judge(state.Job, pods).Phase.Terminal() || l.busy() {
			continue
		}
		// The watches of Jobs and pods are not in step: a pod may be missing here.
		job, fresh, err := read(ctx, l.cluster, l.data)
		if err != nil {
			return err
		}
		if job != nil {
			start(l.update(job, fresh))
		}
		if l.busy() {
			continue
		}
		select {
		case err := <-failed:
			return err
		default:
			return l.unread(job)
		}
	}
}

// update takes what is known of the pods, and returns those whose log can be read
// from now on.
func (l *logs) update(job *batchv1.Job, pods []*corev1.Pod) []*podLog {
	l.nodes.Store(int32(nodesOf(job)))
	var begun []*podLog
	there := map[string]bool{}
	epoch, before := 0, -1
	for _, pod := range byStart(pods) {
		if rank(pod) != before {
			epoch, before = -1, rank(pod)
		}
		epoch++
		uid := string(pod.UID)
		there[uid] = true
		p, known := l.pods[uid]
		if !known && !started(pod) {
			continue
		}
		if !known {
			p = newPodLog(l, pod, epoch)
			l.pods[uid] = p
			begun = append(begun, p)
		}
		if c := stepStatus(pod); c != nil && c.State.Terminated != nil || ended(pod) {
			if c != nil && c.State.Terminated != nil {
				p.endedAt.Store(c.State.Terminated.FinishedAt.Unix())
			}
			p.closeOver()
		}
	}
	for uid, p := range l.pods {
		if !there[uid] {
			p.gone.Store(true)
			p.closeOver()
		}
	}
	return begun
}

// several tells whether the log has more than one source. A reader asks while the
// map may grow, so the number of nodes decides.
func (l *logs) several() bool { return l.nodes.Load() > 1 }

// busy tells whether a log is still being read.
func (l *logs) busy() bool {
	for _, p := range l.pods {
		if !p.finished.Load() {
			return true
		}
	}
	return false
}

// unread marks sources that cannot be read any more: their pod is gone. job is
// nil when it is gone too.
func (l *logs) unread(job *batchv1.Job) error {
	read := map[string]bool{}
	for _, p := range l.pods {
		read[p.source.Name()] = true
	}
	for name := range l.request.Known() {
		if read[name] {
			continue
		}
		if source, ok := parseSource(name); ok {
			if err := l.lostPod(source); err != nil {
				return err
			}
		}
		read[name] = true
	}
	if job == nil || len(read) > 0 || job.Status.Failed+job.Status.Succeeded == 0 {
		return nil
	}
	// A pod ran, and nobody has read a line of it.
	return l.lostPod(pluginsdk.LogSource{Attempt: l.data.Attempt, Stream: stream})
}

func (l *logs) lostPod(source pluginsdk.LogSource) error {
	if err := l.writer.Gap(source, pluginsdk.Gap{Reason: "the pod is gone, and its log with it"}); err != nil {
		return err
	}
	return l.writer.End(source)
}

// started tells whether the step's container has, or had, a log. One that could
// not be started has none.
func started(pod *corev1.Pod) bool {
	c := stepStatus(pod)
	if c == nil {
		return false
	}
	if t := c.State.Terminated; t != nil {
		return t.ContainerID != "" && !neverRan(t.Reason)
	}
	return c.State.Running != nil || c.RestartCount > 0
}

// asLogError makes "could not ask" of an error of the API server, and leaves one
// of the stream to the host alone.
func asLogError(err error) error {
	var write *podlog.WriteError
	if err == nil || errors.As(err, &write) {
		return err
	}
	return kube.Ask(err)
}
