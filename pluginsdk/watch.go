package pluginsdk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stephost/stephost/pluginsdk/internal/serve"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Limits of Watch.
const (
	// statusTimeout bounds one Status call: a hanging one must not look like a
	// job without news.
	statusTimeout = 30 * time.Second
	// defaultHeartbeat and minHeartbeat are for a host that asks for none or for
	// nonsense.
	defaultHeartbeat = 10 * time.Second
	minHeartbeat     = 20 * time.Millisecond
)

// observation is one answer about a job, or why there was none.
type observation struct {
	status Status
	err    error
	at     time.Time
}

func (o observation) terminal() bool { return o.err == nil && o.status.Phase.Terminal() }

// Watch streams the status of one job. One goroutine asks, this one sends, so
// that a slow backend never delays a heartbeat.
func (s *Server) Watch(r *operatorv1.WatchRequest, stream grpc.ServerStreamingServer[operatorv1.WatchResponse]) error {
	ctx, c, err := s.begin(stream.Context(), r.GetTarget(), "Watch", "key", r.GetKey())
	var h Handle
	if err == nil {
		h, err = s.handle(r.GetHandle(), r.GetKey(), r.GetTarget())
	}
	if err != nil {
		return refused(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()

	beat := r.GetHeartbeatInterval().AsDuration()
	if beat < minHeartbeat {
		beat = defaultHeartbeat
	}
	w := &watch{
		server: s, call: c, handle: h,
		out: make(chan observation, 1), wake: make(chan struct{}, 1), beat: beat, stream: stream,
	}
	switch {
	case c.session.watch != nil:
		go w.listen(ctx)
	case c.session.batch != nil:
		sub, remove := s.batches.add(w)
		defer remove()
		defer s.nudges.add(r.GetKey(), sub.nudge)()
		return w.send(ctx)
	default:
		go w.poll(ctx)
	}
	defer s.nudges.add(r.GetKey(), func() { poke(w.wake) })()
	return w.send(ctx)
}

// watch is one Watch stream.
type watch struct {
	server *Server
	call   *call
	handle Handle
	out    chan observation
	wake   chan struct{}
	beat   time.Duration
	stream grpc.ServerStreamingServer[operatorv1.WatchResponse]

	// The rest belongs to send.
	sequence    uint64
	last        *operatorv1.Status
	confirmed   time.Time
	unreachable *operatorv1.CouldNotAsk
}

// ask reads the job once. LOST is believed only when the scope is still ours.
func (w *watch) ask(ctx context.Context) observation {
	ctx, cancel := serve.Bounded(ctx, statusTimeout)
	defer cancel()
	o := observation{at: time.Now()}
	if o.err = w.server.scopes.check(ctx, w.call, scopeAge); o.err != nil {
		return o
	}
	o.err = guard(ctx, "Status", func() (err error) { o.status, err = w.call.session.status(ctx, w.handle); return err })
	return w.settle(ctx, o)
}

// settle makes an observation final.
func (w *watch) settle(ctx context.Context, o observation) observation {
	if o.err == nil && o.status.Phase == Lost {
		// The job is missing where we looked. That is a verdict only if we looked in
		// the right place: a changed context or profile shows here.
		o.err = w.server.scopes.check(ctx, w.call, 0)
	}
	if o.at.IsZero() {
		o.at = time.Now()
	}
	if !o.status.ObservedAt.IsZero() {
		o.at = o.status.ObservedAt
	}
	return o
}

// poll asks at the pace of the job until it is over.
func (w *watch) poll(ctx context.Context) {
	var p pace
	phase := Phase(0)
	for {
		o := w.ask(ctx)
		if !w.push(ctx, o) || o.terminal() {
			return
		}
		pause := time.Duration(0)
		if o.err != nil {
			pause = p.failed(o.err)
		} else {
			if phase != 0 && phase != o.status.Phase {
				p.reset(pollChanged)
			}
			phase = o.status.Phase
			pause = p.next()
		}
		if woken, ok := sleep(ctx, pause, w.wake); !ok {
			return
		} else if woken {
			p = pace{}
		}
	}
}

// listen runs a Watcher, and asks Status when it has been silent: the host's
// timers count only what was confirmed.
func (w *watch) listen(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	heard := make(chan struct{}, 1)
	go w.confirm(ctx, heard)
	var p pace
	for {
		over, silent := false, true
		err := w.server.scopes.check(ctx, w.call, scopeAge)
		if err == nil {
			err = guard(ctx, "Watch", func() error {
				return w.call.session.watch(ctx, w.handle, func(st Status) {
					o := w.settle(ctx, observation{status: st})
					silent = silent && o.err != nil
					if over || !w.push(ctx, o) {
						return
					}
					over = o.terminal()
					poke(heard)
				})
			})
		}
		if over || ctx.Err() != nil {
			return
		}
		if err == nil {
			err = Unreachable(errors.New("the flavor's Watch ended before the job did"))
		}
		if !silent {
			p = pace{}
		}
		if !w.push(ctx, observation{err: err, at: time.Now()}) {
			return
		}
		if _, ok := sleep(ctx, p.failed(err), w.wake); !ok {
			return
		}
	}
}

// confirm asks Status whenever nothing was heard for a heartbeat.
func (w *watch) confirm(ctx context.Context, heard <-chan struct{}) {
	timer := time.NewTimer(w.beat)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-heard:
		case <-timer.C:
			if o := w.ask(ctx); !w.push(ctx, o) || o.terminal() {
				return
			}
		}
		timer.Reset(max(w.beat, pollChanged))
	}
}

// push hands o to send; false when the stream is over.
func (w *watch) push(ctx context.Context, o observation) bool {
	if ctx.Err() != nil {
		return false
	}
	select {
	case w.out <- o:
		return true
	case <-ctx.Done():
		return false
	}
}

// send makes the stream of what was observed.
func (w *watch) send(ctx context.Context) error {
	timer := time.NewTimer(w.beat)
	defer timer.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return streamEnd(ctx)
		case o := <-w.out:
			sent := false
			if sent, err = w.observed(o); err == nil && o.terminal() {
				return nil
			}
			if sent {
				timer.Reset(w.beat)
			}
		case <-timer.C:
			timer.Reset(w.beat)
			err = w.stream.Send(&operatorv1.WatchResponse{Event: &operatorv1.WatchResponse_Heartbeat{
				Heartbeat: &operatorv1.Heartbeat{ConfirmedAt: timestampOf(w.confirmed)}}})
		}
		if err != nil {
			return err
		}
	}
}

// observed sends what is new in o.
func (w *watch) observed(o observation) (sent bool, err error) {
	if o.err != nil {
		return w.couldNotAsk(o)
	}
	w.confirmed = o.at
	if w.unreachable != nil {
		w.unreachable, sent = nil, true
		err := w.stream.Send(&operatorv1.WatchResponse{Event: &operatorv1.WatchResponse_Reachability{
			Reachability: &operatorv1.Reachability{Reachable: true, Since: timestamppb.New(o.at)}}})
		if err != nil {
			return sent, err
		}
	}
	if o.status.Phase.Terminal() {
		return true, w.stream.Send(&operatorv1.WatchResponse{Event: &operatorv1.WatchResponse_Terminal{Terminal: terminalOf(o.status)}})
	}
	next := statusOf(o)
	if w.last != nil {
		next.Phase = keepPhase(w.last, next)
		same := proto.Clone(w.last).(*operatorv1.Status)
		same.Sequence, same.ObservedAt = next.Sequence, next.ObservedAt
		if proto.Equal(same, next) {
			return sent, nil
		}
	}
	w.sequence++
	next.Sequence = w.sequence
	w.last = next
	return true, w.stream.Send(&operatorv1.WatchResponse{Event: &operatorv1.WatchResponse_Status{Status: next}})
}

// couldNotAsk sends a Reachability event when the reason is a new one.
func (w *watch) couldNotAsk(o observation) (sent bool, err error) {
	c := couldNotAsk(o.err)
	if w.unreachable != nil && w.unreachable.Reason == c.Reason && proto.Equal(w.unreachable.Diagnostic, c.Diagnostic) {
		return false, nil
	}
	w.unreachable = c
	return true, w.stream.Send(&operatorv1.WatchResponse{Event: &operatorv1.WatchResponse_Reachability{
		Reachability: &operatorv1.Reachability{CouldNotAsk: c, Since: timestamppb.New(o.at)}}})
}

// keepPhase applies the contract's rule for phases: no news keeps the last one,
// and a job goes back only with one more restart.
func keepPhase(last, next *operatorv1.Status) operatorv1.Phase {
	if next.Phase == operatorv1.Phase_PHASE_UNSPECIFIED {
		return last.Phase
	}
	if next.Phase < last.Phase && next.Restarts <= last.Restarts {
		return last.Phase
	}
	return next.Phase
}

func statusOf(o observation) *operatorv1.Status {
	st := o.status
	return &operatorv1.Status{
		Phase: operatorv1.Phase(st.Phase), Reason: bound(st.Reason, maxSummary), Message: bound(st.Message, maxMessage),
		NativeState: bound(st.NativeState, maxSummary), Restarts: int32(st.Restarts),
		ObservedAt: timestamppb.New(o.at), PhaseSince: timestampOf(st.PhaseSince), Url: st.URL,
	}
}

func terminalOf(st Status) *operatorv1.Terminal {
	list, warning := outputsOf(st.Outputs)
	t := &operatorv1.Terminal{
		Phase: operatorv1.Phase(st.Phase), Class: operatorv1.Class(terminalClass(st)), Signal: bound(st.Signal, maxSummary),
		Reason: bound(st.Reason, maxSummary), Outputs: list,
		StartedAt: timestampOf(st.StartedAt), EndedAt: timestampOf(st.EndedAt), Restarts: int32(st.Restarts),
		NativeState: bound(st.NativeState, maxSummary),
	}
	if code := st.ExitCode; code != nil && *code >= 0 && *code <= maxExitCode {
		told := int32(*code)
		t.ExitCode = &told
	} else if code != nil {
		warning = more(fmt.Sprintf("the exit code %d is none of a process", *code), warning)
	}
	t.Message = withWarning(st.Message, warning)
	return t
}

func terminalClass(st Status) Class {
	switch {
	case st.Phase == Succeeded:
		return 0
	case st.Class != 0:
		return st.Class
	case st.Phase == Cancelled:
		return ClassCancelled
	case st.Phase == Lost:
		return ClassLost
	case st.ExitCode != nil && *st.ExitCode != 0:
		return ClassUser
	}
	return ClassSystem
}

// sleep waits for d; woken when wake fired first, ok = false when ctx ended.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) (woken, ok bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false, false
	case <-wake:
		return true, true
	case <-timer.C:
		return false, true
	}
}

// String is for tests and logs.
func (p Phase) String() string {
	name, ok := operatorv1.Phase_name[int32(p)]
	if !ok {
		return fmt.Sprintf("PHASE_%d", int32(p))
	}
	return name
}
