package launch

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

const (
	// heartbeat is what Watch is asked for; silence of three of them means that
	// the stream is dead although nobody said so.
	heartbeat     = 15 * time.Second
	silence       = 3 * heartbeat
	streamMaxAge  = 30 * time.Minute // credentials are resolved anew when a stream is opened
	streamAgainIn = 100 * time.Millisecond
)

// watchEvent is a message of Watch, or the error that ends watching for good.
type watchEvent struct {
	msg *operatorv1.WatchResponse
	at  time.Time
	err error
}

// watcher keeps a Watch stream open across crashes, silence and its maximum
// age.
type watcher struct {
	events chan watchEvent
	cancel context.CancelFunc
	done   chan struct{}

	mu    sync.Mutex
	close context.CancelFunc // ends the open stream
}

func (d *drive) startWatch(ctx context.Context) *watcher {
	ctx, cancel := context.WithCancel(ctx)
	w := &watcher{events: make(chan watchEvent), cancel: cancel, done: make(chan struct{})}
	req := d.jobRequest()
	go func() {
		defer close(w.done)
		if err := w.run(ctx, d, req); err != nil && ctx.Err() == nil {
			select {
			case w.events <- watchEvent{err: err}:
			case <-ctx.Done():
			}
		}
	}()
	return w
}

func (w *watcher) stop() {
	w.cancel()
	<-w.done
}

// reopen asks for a fresh state: a new stream begins with one.
func (w *watcher) reopen() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.close != nil {
		w.close()
	}
}

func (w *watcher) run(ctx context.Context, d *drive, req jobRequest) error {
	again := newBackoff()
	again.InitialInterval = streamAgainIn
	var kills kills
	for {
		over, any, err := w.stream(ctx, d, req)
		if over || ctx.Err() != nil {
			return ctx.Err()
		}
		if any {
			again.Reset()
		}
		switch {
		case err == nil: // reopened on purpose
			continue
		case !transient(err) && status.Code(err) != codes.Canceled && !errors.Is(err, io.EOF), kills.enough(err):
			return err
		}
		d.s.o.Log.Debug("watch was interrupted", "run", req.id, "error", err)
		if killedAtStart(err) {
			d.hindered(ctx, Notice{Kind: Status, Phase: d.phase(), Reason: "plugin", Message: err.Error()})
		}
		if err := pause(ctx, again.NextBackOff()); err != nil {
			return err
		}
	}
}

// stream runs one stream. over: the terminal event was delivered; any: at least
// one message came.
func (w *watcher) stream(ctx context.Context, d *drive, req jobRequest) (over, any bool, err error) {
	p, err := d.backend.acquire(ctx)
	if err != nil {
		return false, false, err
	}
	target, missing := req.target(ctx, d.s.o.Resolver)
	if missing != nil {
		return false, false, missing
	}
	sctx, closeStream := context.WithTimeout(ctx, streamMaxAge)
	defer closeStream()
	w.mu.Lock()
	w.close = closeStream
	w.mu.Unlock()
	stream, err := p.Client().Watch(sctx, &operatorv1.WatchRequest{
		Target: target, Handle: req.handle, Key: req.key, HeartbeatInterval: durationpb.New(heartbeat)})
	if err != nil {
		return false, false, p.Explain(ctx, err)
	}
	quiet := time.AfterFunc(silence, closeStream)
	defer quiet.Stop()
	for {
		msg, err := stream.Recv()
		if err != nil {
			if sctx.Err() != nil && ctx.Err() == nil {
				return false, any, nil
			}
			if errors.Is(err, io.EOF) {
				return false, any, err
			}
			return false, any, p.Explain(ctx, err)
		}
		any = true
		quiet.Reset(silence)
		select {
		case w.events <- watchEvent{msg: msg, at: d.s.o.Now()}:
		case <-ctx.Done():
			return false, any, ctx.Err()
		}
		if msg.GetTerminal() != nil {
			return true, any, nil
		}
	}
}
