package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/stephost/stephost/pluginsdk"
)

const (
	// logPause is between two looks at a growing file: no signal of a change
	// crosses a network file system.
	logPause = 300 * time.Millisecond
	// statePause is between two questions whether the job is over: slurmctld
	// serves everybody.
	statePause = 3 * time.Second
	// piece is how much is read at once.
	piece = 256 << 10
)

// Logs reads the two files that Slurm writes. The cursor is the byte offset.
func (s slurm) Logs(ctx context.Context, c Config, h pluginsdk.Handle, q pluginsdk.LogRequest, w *pluginsdk.LogWriter) error {
	r, _, err := readHandle(c, h)
	if err != nil {
		return err
	}
	m, err := r.meta()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed: there is nothing to read, and never will be
	}
	if err != nil {
		return err
	}
	streams := []*stream{}
	for _, name := range []string{"stdout", "stderr"} {
		source := pluginsdk.LogSource{Attempt: m.Attempt, Stream: name}
		streams = append(streams, &stream{path: r.file(name), source: source, offset: q.Offset(source), w: w})
	}
	var asked time.Time
	over := false
	for {
		// First the state, then the bytes: what is there once the job is over is
		// all there will ever be. The exit code is a hint to ask at once.
		if q.Follow && (time.Since(asked) >= statePause || r.has("exit")) {
			asked = time.Now()
			status, err := s.Status(ctx, c, h)
			if err != nil {
				return err
			}
			over = status.Phase.Terminal()
		}
		for _, one := range streams {
			if err := one.read(); err != nil {
				return err
			}
		}
		if over || !q.Follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(logPause):
		}
	}
}

// stream is one file of the log.
type stream struct {
	path   string
	source pluginsdk.LogSource
	offset int64
	w      *pluginsdk.LogWriter
}

// read writes what is behind the offset. The file is opened anew each time: NFS
// promises to show what a node has written only to who opens it afterwards.
func (s *stream) read() error {
	f, err := os.Open(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the job has not begun
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Seek(s.offset, io.SeekStart); err != nil {
		return err
	}
	buffer := make([]byte, piece)
	for {
		n, err := f.Read(buffer)
		if n > 0 {
			s.offset += int64(n)
			if err := s.w.Bytes(s.source, time.Time{}, buffer[:n], s.offset); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
