package podlog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// kubelet is a model of how a kubelet serves one container's log: records of a
// runtime (whole lines, or parts of 16 KiB), in files that are rotated, of which
// the newest is served. A follow goes on to the newest file behind the end of the
// one that it reads (cri-client logs.go). Times are written as the kubelet does.
type kubelet struct {
	mu      sync.Mutex
	changed *sync.Cond
	files   [][]record
	over    bool

	// cut, if above zero, breaks each stream behind so many bytes.
	cut func() int
	// giveUp is what a follow ends with at the end of the file; "" = it does not.
	giveUp string
	zone   *time.Location
	opts   []corev1.PodLogOptions
}

type record struct {
	time time.Time
	part bool
	data []byte
}

var errBroken = errors.New("connection reset by peer")

const recordSize = 16 << 10

func newKubelet() *kubelet {
	k := &kubelet{files: [][]record{nil}, zone: time.UTC}
	k.changed = sync.NewCond(&k.mu)
	return k
}

// write appends data as a container's runtime does: cut at newlines and at 16
// KiB; a rest without newline is a part.
func (k *kubelet) write(t time.Time, data []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(data) > 0 {
		n, part := bytes.IndexByte(data, '\n')+1, false
		if n == 0 || n > recordSize {
			n, part = min(len(data), recordSize), true
		}
		file := &k.files[len(k.files)-1]
		*file = append(*file, record{time: t, part: part, data: bytes.Clone(data[:n])})
		data = data[n:]
	}
	k.changed.Broadcast()
}

func (k *kubelet) rotate() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.files = append(k.files, nil)
	k.changed.Broadcast()
}

func (k *kubelet) end() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.over = true
	k.changed.Broadcast()
}

// Log serves the log.
func (k *kubelet) Log(ctx context.Context, _ string, o *corev1.PodLogOptions) (io.ReadCloser, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.opts = append(k.opts, *o)
	left := -1
	if k.cut != nil {
		left = k.cut()
	}
	s := &served{k: k, ctx: ctx, o: o, file: len(k.files) - 1, newLine: true, left: left}
	context.AfterFunc(ctx, func() { k.mu.Lock(); k.changed.Broadcast(); k.mu.Unlock() })
	return s, nil
}

// served is one answer.
type served struct {
	k       *kubelet
	ctx     context.Context
	o       *corev1.PodLogOptions
	file    int
	next    int
	newLine bool
	buf     bytes.Buffer
	sent    int64
	left    int
	gaveUp  bool
}

func (s *served) Close() error { return nil }

func (s *served) Read(p []byte) (int, error) {
	if err := s.fill(); err != nil {
		return 0, err
	}
	if s.left == 0 {
		return 0, errBroken
	}
	if s.left > 0 {
		p = p[:min(len(p), s.left)]
	}
	if s.o.LimitBytes != nil {
		rest := *s.o.LimitBytes - s.sent
		if rest <= 0 {
			return 0, io.EOF
		}
		p = p[:min(int64(len(p)), rest)]
	}
	n, _ := s.buf.Read(p)
	s.sent += int64(n)
	if s.left > 0 {
		s.left -= n
	}
	return n, nil
}

// fill waits for bytes.
func (s *served) fill() error {
	s.k.mu.Lock()
	defer s.k.mu.Unlock()
	for s.buf.Len() == 0 {
		if s.ctx.Err() != nil {
			return s.ctx.Err()
		}
		for s.next < len(s.k.files[s.file]) && s.buf.Len() < 32<<10 {
			s.record(s.k.files[s.file][s.next])
			s.next++
		}
		if s.buf.Len() > 0 || s.next < len(s.k.files[s.file]) {
			continue
		}
		newest := len(s.k.files) - 1
		switch {
		case s.o.Follow && s.k.giveUp != "" && !s.gaveUp:
			s.gaveUp = true
			s.buf.WriteString(s.k.giveUp)
		case s.gaveUp:
			return io.EOF
		case s.o.Follow && s.k.over:
			return io.EOF // also when there is a newer file: so it is
		case s.o.Follow && s.file < newest:
			s.file, s.next = newest, 0
		case !s.o.Follow:
			return io.EOF
		default:
			s.k.changed.Wait()
		}
	}
	return nil
}

func (s *served) record(r record) {
	// A time on the wire has whole seconds.
	skip := s.o.SinceTime != nil && r.time.Before(s.o.SinceTime.Truncate(time.Second))
	if !skip {
		if s.newLine {
			s.buf.WriteString(r.time.In(s.k.zone).Format("2006-01-02T15:04:05.000000000Z07:00") + " ")
		}
		s.buf.Write(r.data)
	}
	s.newLine = len(r.data) > 0 && r.data[len(r.data)-1] == '\n'
}
