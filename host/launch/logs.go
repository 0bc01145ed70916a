package launch

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stephost/stephost/host/process"
	"github.com/stephost/stephost/host/runs/spool"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// logPump copies the log of one attempt from the plugin into the spool, and
// nowhere else: terminals read the spool at their own pace, so that a blocked
// one holds up nobody.
type logPump struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when the log is complete or the pump was stopped

	mu       sync.Mutex
	complete bool
	err      error
}

// startLogs opens the spool and starts the pump of the current attempt.
func (d *drive) startLogs() error {
	if d.logs != nil {
		d.logs.stop()
	}
	// The pump does not live in the context of one act: the log of an ended
	// attempt is drained while other things go on. release ends it.
	ctx, cancel := context.WithCancel(context.Background())
	p := &logPump{cancel: cancel, done: make(chan struct{})}
	d.logs = p
	req := d.jobRequest()
	has := d.flavor.Manifest.Can("logs")
	go func() {
		defer close(p.done)
		if !has {
			p.finish(nil)
			return
		}
		p.finish(p.run(ctx, d, req))
	}()
	return nil
}

// openSpool opens the run's log for writing and collects the values that a
// former owner's part of it holds.
func (d *drive) openSpool() error {
	if d.spool != nil {
		return nil
	}
	if err := d.s.openLog(d.owned); err != nil {
		return err
	}
	d.spool = d.owned.log
	if len(d.spool.Cursors()) > 0 {
		return d.collectValues(d.s.o.Store.LogDir(d.id))
	}
	return nil
}

// collectValues reads the values from what is in the spool already.
func (d *drive) collectValues(dir string) error {
	r, err := spool.OpenReader(dir, spool.ReadOptions{})
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	for {
		rec, err := r.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if rec.Kind == spool.KindEntry && rec.Source.Stream == "stdout" {
			d.vals.add(rec.Source.Key(), rec.Entry.Data)
		}
	}
}

// stop ends the pump and waits for it.
func (p *logPump) stop() {
	p.cancel()
	<-p.done
}

func (p *logPump) finish(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.complete, p.err = err == nil, err
}

// result tells whether the log is complete. Valid after done.
func (p *logPump) result() (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.complete, p.err
}

// run streams until the plugin says that everything was sent.
func (p *logPump) run(ctx context.Context, d *drive, req jobRequest) error {
	again := newBackoff()
	again.InitialInterval = streamAgainIn
	for {
		over, any, err := p.stream(ctx, d, req)
		if over || ctx.Err() != nil {
			return ctx.Err()
		}
		if any {
			again.Reset()
		}
		if err != nil && !transient(err) && !killedAtStart(err) && status.Code(err) != codes.Canceled {
			if status.Code(err) == codes.Unimplemented {
				return nil
			}
			d.s.o.Log.Warn("the log stream failed", "run", req.id, "error", err)
			return err
		}
		if err := pause(ctx, again.NextBackOff()); err != nil {
			return err
		}
	}
}

// killedAtStart tells whether somebody ended the plugin while it started (a
// person, the kernel for want of memory): the next start may well succeed, and
// the log is waited for with a bound anyway.
func killedAtStart(err error) bool {
	var start *process.StartError
	return errors.As(err, &start) && start.Exit != nil && start.Exit.Signal != ""
}

// stream copies one Logs stream, from the cursors that the spool holds. over:
// the plugin ended it in order.
func (p *logPump) stream(ctx context.Context, d *drive, req jobRequest) (over, any bool, err error) {
	plugin, err := d.backend.acquire(ctx)
	if err != nil {
		return false, false, err
	}
	target, missing := req.target(ctx, d.s.o.Resolver)
	if missing != nil {
		return false, false, missing
	}
	sctx, cancel := context.WithTimeout(ctx, streamMaxAge)
	defer cancel()
	stream, err := plugin.Client().Logs(sctx, &operatorv1.LogsRequest{
		Target: target, Handle: req.handle, Key: req.key, Follow: true, Cursors: maps.Clone(d.spool.Cursors())})
	if err != nil {
		return false, false, plugin.Explain(ctx, err)
	}
	for {
		msg, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return true, any, nil
		case err != nil && sctx.Err() != nil && ctx.Err() == nil:
			return false, any, nil // its age: open a new one
		case err != nil:
			return false, any, plugin.Explain(ctx, err)
		}
		any = true
		if err := d.logged(msg); err != nil {
			return false, any, err
		}
	}
}

// logged stores one message. Trouble of the disk never ends a run: the spool
// marks what it could not keep. The error is one of a process that was replaced.
func (d *drive) logged(msg *operatorv1.LogsResponse) error {
	if msg.GetReachability() != nil || msg.GetSource() == nil {
		return nil
	}
	src := sourceOf(msg.GetSource())
	if gap := msg.GetGap(); gap != nil {
		if err := d.spooled(d.spool.Gap(src, spool.Gap{Certainty: certainty(gap.GetCertainty()), Reason: gap.GetReason(), Bytes: gap.GetBytes()})); err != nil {
			return err
		}
	}
	if entries := msg.GetEntries(); len(entries) > 0 {
		batch := make([]spool.Entry, len(entries))
		for i, e := range entries {
			batch[i] = spool.Entry{Time: e.GetTime().AsTime(), Data: e.GetData(), Cursor: e.GetCursor(), Partial: e.GetPartial(), Late: e.GetLate()}
		}
		if err := d.spooled(d.spool.Append(src, batch)); err != nil {
			return err
		}
		if src.Stream == "stdout" {
			d.mu.Lock()
			for _, e := range entries {
				d.vals.add(src.Name, e.GetData())
			}
			d.mu.Unlock()
		}
	}
	if msg.GetEnd() {
		return d.spooled(d.spool.End(src))
	}
	return nil
}

// spooled takes the result of a write. A writer that was replaced belongs to a drive
// that was: it looks at its record.
func (d *drive) spooled(err error) error {
	if err != nil {
		d.s.o.Log.Warn("the log could not be written", "run", d.id, "error", err)
		d.poke()
	}
	return err
}

// foundValues is what the step has printed so far.
func (d *drive) foundValues() (map[string]json.RawMessage, []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.vals.found), d.vals.notes
}

func sourceOf(s *operatorv1.LogSource) spool.Source {
	return spool.Source{Name: s.GetName(), Attempt: s.GetAttempt(), Epoch: s.GetEpoch(), Node: s.GetNode(),
		Container: s.GetContainer(), Stream: s.GetStream()}
}

func certainty(c operatorv1.LogGap_Certainty) string {
	if c == operatorv1.LogGap_CERTAINTY_PROVEN {
		return spool.Proven
	}
	return spool.Possible
}
