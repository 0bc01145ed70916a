package job

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/stephost/stephost/plugins/kubernetes/internal/kube"
	"github.com/stephost/stephost/plugins/kubernetes/internal/observe"
	"github.com/stephost/stephost/plugins/kubernetes/internal/podlog"
	"github.com/stephost/stephost/pluginsdk"
)

// subscription is the shared watch's view of the Job.
type subscription interface {
	Changed() <-chan struct{}
	State() observe.State
}

// Pauses of a reader.
const (
	// endSoon is how long a stream's orderly end waits for the news that the
	// container has ended, before it is opened again; each time that it brings
	// nothing twice as long, to endMost: a kubelet with 200 pods that end at once was
	// seen to need two minutes to tell. The news itself ends the wait.
	endSoon = time.Second
	endMost = 30 * time.Second
	// A container is over when its process is, and the runtime may still be writing
	// what it has read by then: containerd hands it to a goroutine that nobody waits
	// for (internal/cri/io/logger.go, NewCRILogger). So the log counts as read when
	// it has not grown for a while: shortly, unless it ended in a flood, and longer on
	// a node that is slow to answer, because it is slow to write, too.
	quietSmall, quietFlood = 100 * time.Millisecond, 2 * time.Second
	quietAnswers           = 3
	lookSmall, lookFlood   = 100 * time.Millisecond, 400 * time.Millisecond
	// flood is half of what a pipe holds.
	flood = 32 << 10
	// lastMost bounds the reading of a log that a kubelet does not give.
	lastMost = 5 * time.Second
	// retryPause is between two attempts to open a log, growing to retryMost; to
	// endMost where the kubelet has it but does not follow, and nothing new came: one
	// with many pods runs out of watches of files (fs.inotify.max_user_instances, 128
	// by default, and one for each log that is followed).
	retryPause = 300 * time.Millisecond
	retryMost  = 5 * time.Second
	// lateEnd is how long a stream may stay open and silent after its container has
	// ended. What is left is then read without following.
	lateEnd = 5 * time.Second
)

// podLog reads the log of one pod.
type podLog struct {
	logs   *logs
	source pluginsdk.LogSource
	last   string // cursor
	reader *podlog.Reader

	node     string
	ended    chan struct{} // closed when the container has ended
	endOnce  sync.Once
	endedAt  atomic.Int64 // when it did, in whole seconds of its node; 0 = not known
	gone     atomic.Bool  // the pod is not there any more
	finished atomic.Bool
}

func newPodLog(l *logs, pod *corev1.Pod, epoch int) *podLog {
	p := &podLog{logs: l, node: pod.Spec.NodeName, ended: make(chan struct{}),
		source: pluginsdk.LogSource{Attempt: l.data.Attempt, Epoch: epoch, Node: rank(pod), Stream: stream}}
	p.last = l.request.Cursor(p.source)
	p.reader = &podlog.Reader{API: l.cluster, Pod: pod.Name, UID: string(pod.UID), Container: containerName,
		Write: func(e podlog.Entry) error {
			return l.writer.Entry(p.source, pluginsdk.LogEntry{Time: e.Time, Data: e.Data, Cursor: e.Cursor, Partial: e.Partial})
		},
		Gap: func(g podlog.Gap) error {
			return l.writer.Gap(p.source, pluginsdk.Gap{Proven: g.Proven, Reason: g.Reason})
		}}
	return p
}

func (p *podLog) begin() error { return p.reader.Start(p.last) }

func (p *podLog) closeOver() { p.endOnce.Do(func() { close(p.ended) }) }

func (p *podLog) over() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// follow reads until the container has ended and its log says nothing new.
func (p *podLog) follow(ctx context.Context) error {
	if err := p.begin(); err != nil {
		return err
	}
	whole, pause, soon, unread := false, retryPause, endSoon, retryPause
	for {
		if p.over() {
			return p.finish(ctx, whole)
		}
		n, err := p.readLive(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		whole = err == nil
		switch {
		case err == nil:
			if n > 0 {
				soon = endSoon
			}
			pause, unread = retryPause, retryPause
			p.wait(ctx, soon)
			soon = min(2*soon, endMost)
		case errors.Is(err, errCut):
		case unreadable(err):
			if n > 0 {
				unread = retryPause
			}
			p.wait(ctx, unread)
			unread = min(2*unread, endMost)
		case p.over() && notThere(err):
		case p.logs.several() && answered(err):
			// One node's kubelet does not answer: the other ranks go on.
			p.wait(ctx, pause)
			pause = min(2*pause, retryMost)
		default:
			return asLogError(err)
		}
	}
}

// errCut: the stream stayed open, and silent, behind the end of its container.
var errCut = errors.New("the stream was cut")

// readLive follows the stream, and cuts one that is silent for long behind the end
// of its container. One that still brings bytes may be the only place where they
// are: the kubelet reads a rotated file to its end, and serves it to nobody else.
func (p *podLog) readLive(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-p.ended:
		case <-done:
			return
		}
		look := time.NewTicker(lateEnd / 10)
		defer look.Stop()
		for {
			select {
			case <-look.C:
				if p.reader.Waiting() > lateEnd {
					cancel(errCut)
					return
				}
			case <-done:
				return
			}
		}
	}()
	n, err := p.reader.Read(ctx, true)
	if err != nil && errors.Is(context.Cause(ctx), errCut) {
		return n, errCut
	}
	return n, err
}

// answered tells whether the API server itself answered with the error.
func answered(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && !apierrors.IsUnauthorized(err) && !apierrors.IsForbidden(err)
}

// finish reads what is left behind the end of the container. whole = the stream
// before it ended in order.
//
// The log of a pod that was deleted cannot be read any more. A kubelet ends a
// stream in order when it has read the log of an ended container to its end, so
// that is whole; any other end may have lost something.
func (p *podLog) finish(ctx context.Context, whole bool) error {
	grown, failing := time.Now(), time.Time{}
	for {
		asked := time.Now()
		n, err := p.reader.Read(ctx, false)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		quiet, look := max(quietSmall, quietAnswers*time.Since(asked)), lookSmall
		if p.reader.Ending() >= flood {
			quiet, look = max(quiet, quietFlood), lookFlood
		}
		switch {
		case err == nil && n == 0:
			whole, failing = true, time.Time{}
			if time.Since(grown) >= quiet {
				return p.end(ctx)
			}
		case err == nil:
			whole, grown, failing = true, time.Now(), time.Time{}
		case notThere(err):
			return p.giveUp(ctx, whole, "the pod was deleted before its log was read to the end")
		case !unreadable(err) && !(p.logs.several() && answered(err)):
			return asLogError(err)
		case failing.IsZero():
			failing = time.Now()
		case time.Since(failing) > lastMost:
			return p.giveUp(ctx, whole, "the kubelet does not give the log of the ended container")
		}
		p.pause(ctx, look)
	}
}

// giveUp ends a source whose log cannot be asked for any more.
func (p *podLog) giveUp(ctx context.Context, whole bool, why string) error {
	if whole {
		return p.end(ctx)
	}
	if err := p.logs.writer.Gap(p.source, pluginsdk.Gap{Reason: why}); err != nil {
		return err
	}
	return p.logs.writer.End(p.source)
}

// end ends a source that was read to its end, as far as its node has stored it.
func (p *podLog) end(ctx context.Context) error {
	if why := p.doubt(ctx); why != "" {
		if err := p.logs.writer.Gap(p.source, pluginsdk.Gap{Reason: why}); err != nil {
			return err
		}
	}
	return p.logs.writer.End(p.source)
}

// doubt tells why the node itself may have lost the end of the log; "" = it has
// not. With a runtime that does lose ends nothing proves that this time it has not;
// with one that cannot be asked for it takes a flood that lasted to the end.
func (p *podLog) doubt(ctx context.Context) string {
	version := p.logs.cluster.Runtime(ctx, p.node)
	switch {
	case kube.DropsTails(version):
		return fmt.Sprintf("the container runtime of node %s (%s) may lose the last lines of a container; containerd 1.6.22, 1.7.3 and later do not", p.node, version)
	case version == "" && p.flooded():
		return fmt.Sprintf("the step wrote at full speed to its end, of which containerd before 1.6.22 and 1.7.3 may lose the last lines; what node %s runs cannot be seen without the permission to get nodes", p.node)
	}
	return ""
}

// flooded tells whether the log was written at full speed when its container ended.
func (p *podLog) flooded() bool {
	at := p.endedAt.Load()
	return p.reader.Ending() >= flood && (at == 0 || p.reader.Last().Unix() >= at-1)
}

// wait waits for the container's end, at most d.
func (p *podLog) wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-p.ended:
	case <-timer.C:
	}
}

func (p *podLog) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// unreadable tells whether the kubelet has no log just now: a container that is
// about to start, or one whose log it does not find (400 and its own texts).
func unreadable(err error) bool {
	var foreign *podlog.ForeignError
	return apierrors.IsBadRequest(err) || errors.As(err, &foreign)
}

func notThere(err error) bool { return apierrors.IsNotFound(err) }

// parseSource reads the name of a source of this flavor.
func parseSource(name string) (s pluginsdk.LogSource, ok bool) {
	parts := strings.Split(name, "/")
	if len(parts) != 5 {
		return s, false
	}
	var err [3]error
	s.Attempt, err[0] = strconv.Atoi(parts[0])
	s.Epoch, err[1] = strconv.Atoi(parts[1])
	s.Node, err[2] = strconv.Atoi(parts[2])
	s.Container, s.Stream = parts[3], parts[4]
	return s, errors.Join(err[:]...) == nil
}
