package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"time"
	"unicode/utf8"

	"github.com/stephost/stephost/plugins/spark/internal/standalone"
	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
	"github.com/stephost/stephost/pluginsdk/detached/tail"
)

const (
	// logChunk is what is read of a driver's log at once.
	logChunk = 512 << 10
	// logSettle is how long a log of a driver that is over must not grow before it
	// counts as whole: the worker copies it from a pipe (assumption; it flushes
	// within milliseconds).
	logSettle = 2 * time.Second
	// logPoll is the pace of looking.
	logPoll = time.Second
)

// driverStream is one stream of a driver.
type driverStream struct {
	source pluginsdk.LogSource
	offset int64
	grown  time.Time
}

// driverLogs reads what a driver prints from its worker's web UI. The cursor is
// the offset in the worker's file.
func (f *spark) driverLogs(ctx context.Context, c Config, job jobdir.Job, d driver, r pluginsdk.LogRequest, w *pluginsdk.LogWriter) error {
	meta, err := job.ReadMeta()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var streams []*driverStream
	for _, name := range []string{"stdout", "stderr"} {
		s := &driverStream{source: pluginsdk.LogSource{Attempt: int(meta.Attempt), Stream: name}, grown: time.Now()}
		if s.offset, err = tail.ParseCursor(r.Cursor(s.source)); err != nil {
			return err
		}
		streams = append(streams, s)
	}
	client := f.client(c, d)
	ui := ""
	for {
		// First the verdict, then the bytes.
		status, err := f.driverStatus(ctx, c, job, d)
		if err != nil {
			return err
		}
		over := status.Phase.Terminal()
		if ui == "" {
			if ui, err = f.driverUI(ctx, client, c, job, d); err != nil {
				if over {
					return lostLog(streams, w, err)
				}
				return pluginsdk.Unreachable(err)
			}
		}
		settled := true
		if ui != "" {
			for _, s := range streams {
				if err := s.read(ctx, client, ui, d.ID, over, w); err != nil {
					return pluginsdk.Unreachable(err)
				}
				settled = settled && time.Since(s.grown) >= logSettle
			}
		}
		if over && settled || !r.Follow && ui != "" && !over || over && ui == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(logPoll):
		}
	}
}

// lostLog marks what nobody can read any more.
func lostLog(streams []*driverStream, w *pluginsdk.LogWriter, cause error) error {
	for _, s := range streams {
		if err := w.Gap(s.source, pluginsdk.Gap{Reason: "the worker that ran the driver does not show its log any more: " + cause.Error()}); err != nil {
			return err
		}
	}
	return nil
}

// workerRecord is where the driver ran.
const workerRecord = "worker"

type workerNote struct {
	UI string `json:"ui"`
}

// driverUI is the web UI of the driver's worker; "" = it has none yet.
func (f *spark) driverUI(ctx context.Context, client *standalone.Client, c Config, job jobdir.Job, d driver) (string, error) {
	var note workerNote
	if job.ReadRecord(workerRecord, &note) == nil && note.UI != "" {
		return note.UI, nil
	}
	now, err := client.Driver(ctx, d.ID)
	if err != nil || now.WorkerID == "" {
		return "", err
	}
	if note.UI, err = workerUI(ctx, client, c, now.WorkerID); err != nil {
		return "", err
	}
	return note.UI, job.PutRecord(workerRecord, note)
}

// read writes what is there behind the offset.
func (s *driverStream) read(ctx context.Context, client *standalone.Client, ui, id string, over bool, w *pluginsdk.LogWriter) error {
	for {
		chunk, err := client.Log(ctx, ui, id, s.source.Stream, s.offset, logChunk)
		if err != nil {
			return err
		}
		if chunk.Start != s.offset {
			return nil
		}
		text, size := ready(chunk.Text, chunk.End-chunk.Start, over)
		if size <= 0 {
			return nil
		}
		s.offset += size
		s.grown = time.Now()
		if err := w.Entry(s.source, pluginsdk.LogEntry{Time: s.grown, Data: text, Cursor: tail.Cursor(s.offset),
			Partial: !bytes.HasSuffix(text, []byte("\n"))}); err != nil {
			return err
		}
	}
}

// ready is the part of a chunk that can be written, and how many bytes of the log it
// stands for; 0 = none yet. A worker decodes what it shows, so that a letter of
// several bytes that a chunk cuts becomes U+FFFD: whole lines are taken while there
// are any, and lines that hold no such letter have as many bytes as in the log.
func ready(text []byte, size int64, over bool) ([]byte, int64) {
	end := int64(bytes.LastIndexByte(text, '\n')) + 1
	switch {
	case end > 0 && (int64(len(text)) == size || !bytes.ContainsRune(text[:end], utf8.RuneError)):
		return text[:end], end
	case end == 0 && size < logChunk && !over:
		return nil, 0 // the rest of the line follows
	}
	return text, size
}
