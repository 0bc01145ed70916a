package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"

	"github.com/stephost/stephost/plugins/modal/internal/api"
	"github.com/stephost/stephost/pluginsdk"
)

// firstEntry is before all entries (the SDK's outputStreamSb).
const firstEntry = "0-0"

// older reads one output from the control plane, batch by batch. The cursor is
// the ID of a batch, so a batch is one entry.
func (t *tail) older(ctx context.Context, o output, cursor string) error {
	if cursor == "" {
		cursor = firstEntry
	}
	for {
		// Asked before the stream is opened: what it gives then is all there is.
		over, err := t.over(ctx)
		if err != nil {
			return err
		}
		most := streamMost
		if over || !t.follow {
			most = streamLast
		}
		next, whole, err := t.entries(ctx, o, cursor, most)
		if err != nil {
			return err
		}
		news := next != cursor
		cursor = next
		// A sandbox that never started may leave an output without an end.
		if whole || !t.follow || over && !news {
			return nil
		}
	}
}

// entries reads one stream to its end. whole: nothing follows the last entry.
func (t *tail) entries(ctx context.Context, o output, cursor string, most time.Duration) (next string, whole bool, err error) {
	q, err := t.open(ctx)
	if err != nil {
		return cursor, false, err
	}
	// A server that keeps a stream open longer than it was asked to must not hold
	// the log.
	ctx, cancel := context.WithTimeout(ctx, most+streamLast)
	defer cancel()
	stream, err := q.Stub.SandboxGetLogs(ctx, pb.SandboxGetLogsRequest_builder{
		SandboxId: t.d.Sandbox, FileDescriptor: o.entry, Timeout: float32(most.Seconds()), LastEntryId: cursor,
	}.Build())
	for err == nil {
		var batch *pb.TaskLogsBatch
		if batch, err = stream.Recv(); err != nil {
			break
		}
		if err := t.batch(o, batch); err != nil {
			return cursor, false, err
		}
		if batch.GetEntryId() != "" {
			cursor = batch.GetEntryId()
		}
		if batch.GetEof() {
			return cursor, true, nil
		}
	}
	switch {
	case errors.Is(err, io.EOF), errors.Is(ctx.Err(), context.DeadlineExceeded):
		return cursor, false, nil
	case api.IsNotFound(err):
		return cursor, true, nil // the sandbox is gone, and its log with it: Watch says so
	}
	return cursor, false, q.ask(err)
}

// batch writes a batch as one entry.
func (t *tail) batch(o output, batch *pb.TaskLogsBatch) error {
	var text strings.Builder
	var at time.Time
	for _, item := range batch.GetItems() {
		text.WriteString(item.GetData())
		at = itemTime(item)
	}
	if text.Len() == 0 {
		return nil
	}
	data := text.String()
	return t.w.Entry(o.source, pluginsdk.LogEntry{Time: at, Data: []byte(data), Cursor: batch.GetEntryId(), Partial: !strings.HasSuffix(data, "\n")})
}

func itemTime(item *pb.TaskLogs) time.Time {
	if ns := item.GetTimestampNs(); ns != 0 {
		return time.Unix(0, int64(ns)).UTC()
	}
	return unix(item.GetTimestamp())
}
