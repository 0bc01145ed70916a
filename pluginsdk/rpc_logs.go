package pluginsdk

import (
	"context"
	"time"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// reachableAfter: a log without new lines that has been read for so long after
// "could not ask" counts as reachable again.
const reachableAfter = 5 * time.Second

// Logs runs the LogReader until it has read everything. One goroutine reads,
// this one sends: while a message is on its way the next one fills, so batches
// grow by themselves when the host is slow and stay small when it is quick.
func (s *Server) Logs(r *operatorv1.LogsRequest, stream grpc.ServerStreamingServer[operatorv1.LogsResponse]) error {
	ctx, c, err := s.begin(stream.Context(), r.GetTarget(), "Logs", "key", r.GetKey())
	if err != nil {
		return refused(err)
	}
	if c.session.logs == nil {
		return absent(capLogs)
	}
	h, err := s.handle(r.GetHandle(), r.GetKey(), r.GetTarget())
	if err != nil {
		return refused(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	w := newLogWriter(r.GetCursors())
	defer context.AfterFunc(ctx, func() { w.fail(ctx.Err()) })()
	go s.readLogs(ctx, c, h, r.GetFollow(), w)
	for {
		messages, ok := w.take()
		if !ok {
			break
		}
		for _, m := range messages {
			if err := stream.Send(m); err != nil {
				w.fail(err)
				return err
			}
		}
	}
	if ctx.Err() != nil {
		return streamEnd(ctx)
	}
	return nil
}

// readLogs calls the LogReader until it returns without an error, each time
// from the last cursors.
func (s *Server) readLogs(ctx context.Context, c *call, h Handle, follow bool, w *LogWriter) {
	defer w.close()
	var p pace
	for {
		request := w.request(follow)
		again := time.AfterFunc(reachableAfter, w.reachable)
		err := s.scopes.check(ctx, c, scopeAge)
		if err == nil {
			err = guard(ctx, "Logs", func() error { return c.session.logs(ctx, h, request, w) })
		}
		again.Stop()
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			w.reachable()
			if follow {
				w.endAll()
			}
			return
		}
		if w.progress() {
			p = pace{}
		}
		w.unreachable(err)
		if _, ok := sleep(ctx, p.failed(err), nil); !ok {
			return
		}
	}
}

// unreachable tells the host, once per reason, that nothing can be read.
func (w *LogWriter) unreachable(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := couldNotAsk(err)
	if w.gone != nil && w.gone.Reason == c.Reason && w.gone.GetDiagnostic().GetSummary() == c.GetDiagnostic().GetSummary() {
		return
	}
	w.gone = nil // add must not announce the contrary first
	_ = w.add(nil, &operatorv1.LogsResponse{Reachability: &operatorv1.Reachability{
		CouldNotAsk: c, Since: timestamppb.Now(),
	}}, entryOverhead)
	w.gone = c
}

// reachable tells the host that reading works again.
func (w *LogWriter) reachable() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.announce()
}

// announce does the same while w.mu is held.
func (w *LogWriter) announce() {
	if w.gone == nil {
		return
	}
	w.gone = nil
	_ = w.add(nil, &operatorv1.LogsResponse{Reachability: &operatorv1.Reachability{
		Reachable: true, Since: timestamppb.Now(),
	}}, entryOverhead)
}

// endAll ends every source that has not been ended, also those that the host
// knows and that had nothing new.
func (w *LogWriter) endAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range sortedKeys(w.sources) {
		if w.end(w.sources[name]) != nil {
			return
		}
	}
}

// progress tells whether something was written since request.
func (w *LogWriter) progress() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.wrote
}
