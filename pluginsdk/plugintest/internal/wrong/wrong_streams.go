package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// handle is wrong in "any-handle" and "forgets-old"; the handle that
// "handle-version" has given is put right.
func (w *wrong) handle(h *operatorv1.Handle) *operatorv1.Handle {
	switch {
	case h == nil:
	case w.is("any-handle"), w.is("handle-version") && h.Version == wrongVersion:
		h.Version = version
	case w.is("forgets-old") && h.Version < version:
		h.Data = append([]byte("v2/"), h.Data...)
	}
	return h
}

// known tells whether the request has a handle that this flavor has made.
func known(q interface{ GetHandle() *operatorv1.Handle }) bool {
	return q.GetHandle().GetVersion() <= version
}

// tapped is a stream whose messages go through change, which may drop or repeat
// them.
type tapped[M any] struct {
	grpc.ServerStreamingServer[M]
	change func(*M) []*M
}

func (t tapped[M]) Send(m *M) error {
	for _, x := range t.change(m) {
		if err := t.ServerStreamingServer.Send(x); err != nil {
			return err
		}
	}
	return nil
}

// Watch is wrong in many modes.
func (w *wrong) Watch(q *operatorv1.WatchRequest, stream grpc.ServerStreamingServer[operatorv1.WatchResponse]) error {
	q = proto.Clone(q).(*operatorv1.WatchRequest)
	q.Target, q.Handle = w.target(q.Target), w.handle(q.Handle)
	if w.is("confirms-at-once") && w.isFaked(q.GetKey()) && known(q) {
		return stream.Send(terminal(operatorv1.Phase_PHASE_CANCELLED, operatorv1.Class_CLASS_CANCELLED))
	}
	if w.is("silent") {
		q.HeartbeatInterval = durationpb.New(time.Hour)
	}
	again := w.watched(q.GetKey())
	err := w.Server.Watch(q, tapped[operatorv1.WatchResponse]{stream, func(m *operatorv1.WatchResponse) []*operatorv1.WatchResponse {
		return w.event(m, again)
	}})
	if w.is("cancels-with-host") && stream.Context().Err() != nil {
		_, _ = w.Server.Cancel(context.WithoutCancel(stream.Context()), &operatorv1.CancelRequest{Target: q.Target, Handle: q.Handle, Key: q.Key, Force: true})
	}
	if w.is("two-ends") && err == nil {
		return stream.Send(terminal(operatorv1.Phase_PHASE_FAILED, operatorv1.Class_CLASS_SYSTEM))
	}
	return err
}

func terminal(p operatorv1.Phase, c operatorv1.Class) *operatorv1.WatchResponse {
	return &operatorv1.WatchResponse{Event: &operatorv1.WatchResponse_Terminal{Terminal: &operatorv1.Terminal{Phase: p, Class: c}}}
}

// watched counts the streams of a job and tells whether there was one before.
func (w *wrong) watched(key string) (again bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watches[key]++
	return w.watches[key] > 1
}

// event changes one event of Watch; again: it is not the job's first stream.
func (w *wrong) event(m *operatorv1.WatchResponse, again bool) []*operatorv1.WatchResponse {
	t := m.GetTerminal()
	switch {
	case w.is("user-is-system") && t.GetPhase() == operatorv1.Phase_PHASE_FAILED:
		t.Class = operatorv1.Class_CLASS_SYSTEM
	case w.is("unreachable-is-failed") && m.GetReachability().GetCouldNotAsk().GetReason() == operatorv1.CouldNotAsk_REASON_UNREACHABLE:
		return []*operatorv1.WatchResponse{terminal(operatorv1.Phase_PHASE_FAILED, operatorv1.Class_CLASS_SYSTEM)}
	case w.is("gone-is-failed") && t.GetPhase() == operatorv1.Phase_PHASE_LOST:
		t.Phase, t.Class = operatorv1.Phase_PHASE_FAILED, operatorv1.Class_CLASS_SYSTEM
	case w.is("watch-once") && again && t.GetPhase() == operatorv1.Phase_PHASE_FAILED:
		t.Phase, t.Class = operatorv1.Phase_PHASE_LOST, operatorv1.Class_CLASS_LOST
	case w.is("same-sequence") && m.GetStatus() != nil:
		m.GetStatus().Sequence = 1
		again := proto.Clone(m).(*operatorv1.WatchResponse)
		return []*operatorv1.WatchResponse{m, again}
	}
	return []*operatorv1.WatchResponse{m}
}

// isFaked tells whether a Cancel of key was accepted and not sent.
func (w *wrong) isFaked(key string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.faked[key]
}

// in tells whether the job is in the phase, as seen with this target.
func (w *wrong) in(ctx context.Context, t *operatorv1.Target, key string, phase operatorv1.Phase) bool {
	r, err := w.Server.Find(ctx, &operatorv1.FindRequest{Target: t, By: &operatorv1.FindRequest_Key{Key: key}})
	return err == nil && len(r.GetJobs()) == 1 && r.GetJobs()[0].GetPhase() == phase
}

// Cancel is wrong in many modes.
func (w *wrong) Cancel(ctx context.Context, q *operatorv1.CancelRequest) (*operatorv1.CancelResponse, error) {
	q = proto.Clone(q).(*operatorv1.CancelRequest)
	q.Target, q.Handle = w.target(q.Target), w.handle(q.Handle)
	w.mu.Lock()
	w.cancels[q.GetKey()]++
	n := w.cancels[q.GetKey()]
	w.mu.Unlock()
	accepted := &operatorv1.CancelResponse{Result: &operatorv1.CancelResponse_Accepted_{Accepted: &operatorv1.CancelResponse_Accepted{}}}
	switch {
	case w.is("confirms-at-once") && !q.GetForce() && known(q) && w.in(ctx, q.Target, q.Key, operatorv1.Phase_PHASE_RUNNING):
		w.mu.Lock()
		w.faked[q.GetKey()] = true
		w.mu.Unlock()
		return accepted, nil
	case w.is("no-early-cancel") && w.in(ctx, q.Target, q.Key, operatorv1.Phase_PHASE_QUEUED):
		return conflict("409: the job has not started"), nil
	case w.is("one-cancel") && n > 1 && !q.GetForce():
		return conflict("409: it is being cancelled"), nil
	case w.is("patient") && !q.GetForce():
		q.Grace = durationpb.New(time.Hour)
	}
	r, err := w.Server.Cancel(ctx, q)
	if w.is("cancels-the-dead") && r.GetAlreadyOver() != nil && string(q.GetHandle().GetData()) == q.GetKey() {
		return accepted, nil
	}
	return r, err
}

func conflict(text string) *operatorv1.CancelResponse {
	return &operatorv1.CancelResponse{Result: &operatorv1.CancelResponse_CouldNotAsk{CouldNotAsk: &operatorv1.CouldNotAsk{
		Reason: operatorv1.CouldNotAsk_REASON_UNREACHABLE, Diagnostic: &operatorv1.Diagnostic{Severity: operatorv1.Severity_SEVERITY_ERROR, Summary: text}}}}
}

// Logs is wrong in many modes.
func (w *wrong) Logs(q *operatorv1.LogsRequest, stream grpc.ServerStreamingServer[operatorv1.LogsResponse]) error {
	q = proto.Clone(q).(*operatorv1.LogsRequest)
	q.Target, q.Handle = w.target(q.Target), w.handle(q.Handle)
	switch {
	case w.is("log-restarts"):
		q.Cursors = nil
	case w.is("log-late"):
		// Waits for the end of the job.
		r, err := w.Server.Find(stream.Context(), &operatorv1.FindRequest{Target: q.Target, By: &operatorv1.FindRequest_Key{Key: q.Key}})
		for err == nil && stream.Context().Err() == nil && len(r.GetJobs()) > 0 && r.GetJobs()[0].GetPhase() < operatorv1.Phase_PHASE_SUCCEEDED {
			time.Sleep(50 * time.Millisecond)
			r, err = w.Server.Find(stream.Context(), &operatorv1.FindRequest{Target: q.Target, By: &operatorv1.FindRequest_Key{Key: q.Key}})
		}
	case w.is("log-drops"):
		d := newDropper(stream)
		defer d.end()
		return w.Server.Logs(q, tapped[operatorv1.LogsResponse]{stream, d.offer})
	}
	return w.Server.Logs(q, tapped[operatorv1.LogsResponse]{stream, w.lines})
}

func (w *wrong) lines(m *operatorv1.LogsResponse) []*operatorv1.LogsResponse {
	switch {
	case w.is("no-stderr") && m.GetSource().GetStream() == "stderr":
		return nil
	case w.is("no-end"):
		m.End = false
	case w.is("log-text"):
		for _, e := range m.GetEntries() {
			e.Data = []byte(strings.ToValidUTF8(string(e.GetData()), "?"))
		}
	}
	return []*operatorv1.LogsResponse{m}
}

// dropper sends in the background and drops what does not fit into its queue.
type dropper struct {
	queue chan *operatorv1.LogsResponse
	done  sync.WaitGroup
}

func newDropper(stream grpc.ServerStreamingServer[operatorv1.LogsResponse]) *dropper {
	const slots = 8
	d := &dropper{queue: make(chan *operatorv1.LogsResponse, slots)}
	d.done.Go(func() {
		for m := range d.queue {
			_ = stream.Send(m) // a stream that has ended needs nothing
		}
	})
	return d
}

func (d *dropper) offer(m *operatorv1.LogsResponse) []*operatorv1.LogsResponse {
	if m.GetEnd() {
		d.queue <- m
		return nil
	}
	select {
	case d.queue <- m:
	default:
	}
	return nil
}

func (d *dropper) end() { close(d.queue); d.done.Wait() }

// Cleanup is wrong in "clean-once" and "clean-all".
func (w *wrong) Cleanup(ctx context.Context, q *operatorv1.CleanupRequest) (*operatorv1.CleanupResponse, error) {
	q = proto.Clone(q).(*operatorv1.CleanupRequest)
	q.Target, q.Handle = w.target(q.Target), w.handle(q.Handle)
	if w.is("clean-all") && q.GetWhat() == operatorv1.CleanupRequest_WHAT_LEFTOVERS {
		q.What = operatorv1.CleanupRequest_WHAT_RECORD
	}
	if w.is("clean-once") && q.GetWhat() == operatorv1.CleanupRequest_WHAT_RECORD {
		r, err := w.Server.Find(ctx, &operatorv1.FindRequest{Target: q.Target, By: &operatorv1.FindRequest_Key{Key: q.Key}})
		if err == nil && r.GetOutcome() == operatorv1.FindResponse_OUTCOME_ABSENT {
			return &operatorv1.CleanupResponse{Diagnostics: []*operatorv1.Diagnostic{{
				Severity: operatorv1.Severity_SEVERITY_ERROR, Summary: fmt.Sprintf("404: there is no job %s", q.Key), Class: operatorv1.Class_CLASS_SYSTEM}}}, nil
		}
	}
	return w.Server.Cleanup(ctx, q)
}
