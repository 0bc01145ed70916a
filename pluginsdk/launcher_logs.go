package pluginsdk

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// launchLog is one output stream of a step: a file, so that the log is whole
// however long it is and however often it is read. Times are those of reading.
type launchLog struct {
	mu      sync.Mutex
	file    *os.File
	readers map[chan struct{}]struct{}
}

func openLaunchLog(path string) (*launchLog, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return &launchLog{file: f, readers: map[chan struct{}]struct{}{}}, nil
}

// Write appends p. After the end of the step it returns os.ErrClosed.
func (l *launchLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return 0, os.ErrClosed
	}
	n, err := l.file.Write(p)
	l.tell()
	return n, err
}

func (l *launchLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		_ = l.file.Close()
		l.file = nil
	}
	l.tell()
}

func (l *launchLog) tell() {
	for c := range l.readers {
		poke(c)
	}
}

// subscribe pokes c whenever there is more.
func (l *launchLog) subscribe(c chan struct{}) (cancel func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readers[c] = struct{}{}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.readers, c)
	}
}

// logs reads both streams of a job.
func (l *launcher) logs(ctx context.Context, h Handle, r LogRequest, w *LogWriter) error {
	j, lh, err := l.job(h)
	if err != nil {
		return err
	}
	var over <-chan struct{}
	more := make(chan struct{}, 1)
	if j != nil {
		over = j.done
		defer j.stdout.subscribe(more)()
		defer j.stderr.subscribe(more)()
	} else if _, err := statusFromDisk(lh.Dir); err != nil && r.Follow {
		return err // another process runs it: its end cannot be seen from here
	}
	streams := make([]*launchReader, 0, 2)
	for _, name := range []string{"stdout", "stderr"} {
		s := &launchReader{source: LogSource{Attempt: lh.Attempt, Stream: name}, buf: make([]byte, maxEntry)}
		s.offset = r.Offset(s.source)
		s.file, err = os.Open(filepath.Join(lh.Dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return Unreachable(err)
		}
		defer s.file.Close()
		streams = append(streams, s)
	}
	for {
		ended := over == nil
		select {
		case <-over:
			ended = true // what is read from here on is all there is
		default:
		}
		for _, s := range streams {
			if err := s.drain(w); err != nil {
				return err
			}
		}
		if ended || !r.Follow {
			return nil
		}
		select {
		case <-more:
		case <-over:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// launchReader reads one stream's file.
type launchReader struct {
	source LogSource
	file   *os.File
	offset int64
	buf    []byte
}

// drain writes what is there.
func (s *launchReader) drain(w *LogWriter) error {
	for {
		n, err := s.file.ReadAt(s.buf, s.offset)
		if n > 0 {
			s.offset += int64(n)
			if err := w.Bytes(s.source, time.Now(), s.buf[:n], s.offset); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return Unreachable(err)
		}
	}
}
