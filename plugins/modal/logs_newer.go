package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	modal "github.com/modal-labs/modal-client/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stephost/stephost/pluginsdk"
)

const (
	// machineTries is how often the machine of an ended sandbox is asked before the
	// stored log stands in: it may just have been unreachable.
	machineTries = 4
	// clockSlack: the start of the stored log is asked for by this machine's clock.
	clockSlack = 5 * time.Minute
)

// newer reads one output from the machine that runs the sandbox. When that is
// gone, the log that Modal stores stands in, where the bytes behind the offset
// are looked for.
func (t *tail) newer(ctx context.Context, o output, offset int64) error {
	task, err := t.task(ctx)
	if err != nil {
		return err
	}
	if task == "" {
		return nil
	}
	pause := taskFirst
	for try := 1; ; try++ {
		over, err := t.over(ctx)
		if err != nil {
			return err
		}
		next, whole, err := t.stdio(ctx, o, task, offset)
		if next != offset {
			try, pause = 1, taskFirst
		}
		offset = next
		switch {
		case err == nil && (whole || !t.follow):
			return nil
		case err != nil && !over:
			return err
		case err != nil && (gone(err) || try >= machineTries):
			return t.stored(ctx, o, offset)
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		pause = min(time.Duration(float64(pause)*taskGrowth), taskMost)
	}
}

// stdio reads one stream to its end. whole: the output has ended.
func (t *tail) stdio(ctx context.Context, o output, task string, offset int64) (next int64, whole bool, err error) {
	q, err := t.open(ctx)
	if err != nil {
		return offset, false, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := q.Stdio(ctx, t.d.Sandbox, task, o.stdio, uint64(offset))
	if err != nil {
		return offset, false, q.ask(err)
	}
	quiet := time.AfterFunc(quietMost, func() {
		if !t.follow {
			cancel()
		}
	})
	defer quiet.Stop()
	for {
		m, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return offset, true, nil
		case err != nil && !t.follow && status.Code(err) == codes.Canceled:
			return offset, false, nil
		case err != nil:
			return offset, false, q.ask(err)
		}
		quiet.Reset(quietMost)
		data, at := m.GetData(), int64(m.GetStartingOffset())
		if missing := at - offset; missing > 0 {
			// "Only the most recent portion of output is retained" (the SDK).
			if err := t.w.Gap(o.source, pluginsdk.Gap{Proven: true, Bytes: missing, Reason: "Modal keeps only the most recent output of a sandbox"}); err != nil {
				return offset, false, err
			}
		} else if -missing >= int64(len(data)) {
			continue // all of it is known
		} else {
			data = data[-missing:]
		}
		offset = at + int64(len(m.GetData()))
		if err := t.w.Bytes(o.source, time.Now(), data, offset); err != nil {
			return offset, false, err
		}
	}
}

// gone tells whether the machine no longer knows the sandbox, or cannot be asked
// by anybody any more.
func gone(err error) bool {
	switch status.Code(err) {
	case codes.NotFound, codes.FailedPrecondition, codes.PermissionDenied, codes.Unauthenticated, codes.InvalidArgument:
		return true
	}
	return false
}

// stored reads the log that Modal keeps of a sandbox that is over, as text. It has
// no offsets: the text is taken for the bytes of the output.
func (t *tail) stored(ctx context.Context, o output, offset int64) error {
	q, err := t.open(ctx)
	if err != nil {
		return err
	}
	sandbox, err := q.SDK.Sandboxes.FromID(ctx, t.d.Sandbox, nil)
	if err != nil {
		return q.ask(err)
	}
	entries, err := sandbox.Logs.Fetch(ctx, t.d.Created.Add(-clockSlack), &modal.SandboxLogFetchParams{Source: sourceOf(o)})
	if err != nil {
		return t.unread(o, q.ask(err))
	}
	if offset > 0 {
		if err := t.w.Gap(o.source, pluginsdk.Gap{Reason: fmt.Sprintf("the machine is gone; the rest, from byte %d on, is from the log that Modal stores", offset)}); err != nil {
			return err
		}
	}
	var at int64
	for e, err := range entries {
		if err != nil {
			return t.unread(o, q.ask(err))
		}
		text := e.Message
		at += int64(len(text))
		if at <= offset {
			continue
		}
		text = text[max(0, int64(len(text))-(at-offset)):]
		if err := t.w.Bytes(o.source, e.Timestamp, []byte(text), at); err != nil {
			return err
		}
	}
	if at < offset {
		return t.w.Gap(o.source, pluginsdk.Gap{Reason: fmt.Sprintf("the log that Modal stores has %d bytes, and %d were read before", at, offset)})
	}
	return nil
}

// unread marks an output that cannot be read any more, and passes on what may be
// better later.
func (t *tail) unread(o output, err error) error {
	var e *pluginsdk.Error
	if errors.As(err, &e) && e.Ask != 0 && !strings.Contains(err.Error(), "too many logs") && !gone(err) {
		return err
	}
	return t.w.Gap(o.source, pluginsdk.Gap{Reason: "the machine is gone, and the log that Modal stores cannot be read: " + err.Error()})
}

func sourceOf(o output) modal.LogSource {
	if o.source.Stream == "stderr" {
		return modal.LogSourceStderr
	}
	return modal.LogSourceStdout
}
