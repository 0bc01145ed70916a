package cloudfake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"sync"
	"time"
)

// defaultLine is where log services of clouds cut (Cloud Logging: 256 KB per
// entry; CloudWatch Logs: 256 KB per event until April 2025, 1 MB since).
const defaultLine = 256 << 10

// Line is one line of output, without its newline.
type Line struct {
	// Index counts from 0 over both streams, in the order in which the lines
	// became whole.
	Index int
	// Time is when its last byte was read.
	Time   time.Time
	Stream string
	Data   []byte
	// Cut: no newline followed. The line was too long, or the output ended.
	Cut bool
}

// output takes the streams of one process.
type output struct {
	maxLine int
	readers sync.WaitGroup

	mu      sync.Mutex
	files   map[string]*os.File // "stdout", "stderr", "log"
	ends    []*os.File          // what the readers read
	size    map[string]int64
	pending map[string]int64 // offset where the open line of a stream begins
	lines   []lineAt
	closed  bool
}

type lineAt struct {
	time       time.Time
	stream     string
	at, length int64
	cut        bool
}

func newOutput(dir string, maxLine int) (*output, error) {
	if maxLine <= 0 {
		maxLine = defaultLine
	}
	o := &output{maxLine: maxLine, files: map[string]*os.File{}, size: map[string]int64{}, pending: map[string]int64{}}
	for _, name := range []string{"stdout", "stderr", "log"} {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			o.close()
			return nil, err
		}
		o.files[name] = f
	}
	return o, nil
}

// pipes connects cmd, and returns the ends that are the child's.
func (o *output) pipes(cmd *exec.Cmd) ([]*os.File, error) {
	var theirs []*os.File
	for _, stream := range []string{"stdout", "stderr"} {
		r, w, err := os.Pipe()
		if err != nil {
			return theirs, err
		}
		theirs = append(theirs, w)
		o.ends = append(o.ends, r)
		if stream == "stdout" {
			cmd.Stdout = w
		} else {
			cmd.Stderr = w
		}
		o.readers.Go(func() { o.read(stream, r) })
	}
	return theirs, nil
}

func (o *output) read(stream string, r io.Reader) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := r.Read(buffer)
		o.write(stream, buffer[:n])
		if err != nil {
			return
		}
	}
}

// write takes bytes of a stream.
func (o *output) write(stream string, data []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || len(data) == 0 {
		return
	}
	now := time.Now()
	_, _ = o.files[stream].Write(data)
	_, _ = o.files["log"].Write(data)
	o.size["log"] += int64(len(data))
	for len(data) > 0 {
		open := o.size[stream] - o.pending[stream]
		room := int64(o.maxLine) - open
		end := bytes.IndexByte(data, '\n')
		switch {
		case end >= 0 && int64(end) <= room:
			o.line(stream, now, open+int64(end), 1, false)
			data = data[end+1:]
		case int64(len(data)) > room:
			o.line(stream, now, int64(o.maxLine), 0, true)
			data = data[room:]
		default:
			o.size[stream] += int64(len(data))
			data = nil
		}
	}
}

// line closes the open line of a stream; skip bytes behind it are no part of
// the next one.
func (o *output) line(stream string, now time.Time, length, skip int64, cut bool) {
	at := o.pending[stream]
	o.lines = append(o.lines, lineAt{time: now, stream: stream, at: at, length: length, cut: cut})
	o.pending[stream] = at + length + skip
	o.size[stream] = o.pending[stream]
}

// drain waits for the end of both streams, and closes the open lines.
func (o *output) drain(most time.Duration) {
	done := make(chan struct{})
	go func() { o.readers.Wait(); close(done) }()
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
	for _, r := range o.ends {
		r.Close()
	}
	<-done
	o.close()
}

func (o *output) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	now := time.Now()
	for _, stream := range []string{"stdout", "stderr"} {
		if open := o.size[stream] - o.pending[stream]; open > 0 {
			o.line(stream, now, open, 0, true)
		}
	}
	o.closed = true
	for _, f := range o.files {
		f.Close()
	}
}

// Lines returns lines from an index on, at most limit.
func (p *Process) Lines(from, limit int) ([]Line, error) {
	p.output.mu.Lock()
	var picked []lineAt
	if from < len(p.output.lines) {
		picked = p.output.lines[from:min(len(p.output.lines), from+limit)]
	}
	p.output.mu.Unlock()
	files := map[string]*os.File{}
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	out := make([]Line, 0, len(picked))
	for i, l := range picked {
		f := files[l.stream]
		if f == nil {
			var err error
			if f, err = os.Open(filepath.Join(p.dir, l.stream)); err != nil {
				return nil, err
			}
			files[l.stream] = f
		}
		data := make([]byte, l.length)
		if _, err := f.ReadAt(data, l.at); err != nil && !(errors.Is(err, io.EOF) && l.length == 0) {
			return nil, fmt.Errorf("line %d: %w", from+i, err)
		}
		out = append(out, Line{Index: from + i, Time: l.time, Stream: l.stream, Data: data, Cut: l.cut})
	}
	return out, nil
}

// Path of a file of the process: "stdout", "stderr", "log" or "work".
func (p *Process) Path(name string) string { return filepath.Join(p.dir, name) }

// Count is how many lines there are.
func (p *Process) Count() int {
	p.output.mu.Lock()
	defer p.output.mu.Unlock()
	return len(p.output.lines)
}

// Since is the index of the first line that is not older than t.
func (p *Process) Since(t time.Time) int {
	p.output.mu.Lock()
	defer p.output.mu.Unlock()
	return sort.Search(len(p.output.lines), func(i int) bool { return !p.output.lines[i].time.Before(t) })
}
