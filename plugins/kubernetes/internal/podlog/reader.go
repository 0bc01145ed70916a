package podlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Limits of reading.
const (
	// chunk is what one read takes: the API server's proxy flushes 32 KiB.
	chunk = 64 << 10
	// quiet is how long a read may show nothing before its seam is judged by what
	// it showed: what is in the file comes at once.
	quiet = time.Second
	// probeEvery and probeBytes say when the beginning of the file is looked at
	// to see whether it was rotated. A kubelet looks at sizes every 10 s
	// (containerLogMonitorInterval) and rotates files of 10 MiB
	// (containerLogMaxSize): so no rotation falls between two looks.
	probeEvery = 3 * time.Second
	probeBytes = 1 << 20
	// silentLook is after how long it is looked at where nothing comes, if what came
	// of it before may be enough to be rotated: no file comes and goes in between.
	silentLook = 2*probeEvery - probeEvery/2
	// probeTimeout bounds one look.
	probeTimeout = 5 * time.Second
)

// API opens logs.
type API interface {
	Log(ctx context.Context, pod string, o *corev1.PodLogOptions) (io.ReadCloser, error)
}

// Entry is a line, or a part of one.
type Entry struct {
	Time    time.Time
	Data    []byte // good until Write returns
	Cursor  string
	Partial bool
}

// Gap says that lines may be missing, or (Proven) are.
type Gap struct {
	Proven bool
	Reason string
}

// Reader reads the log of one container.
type Reader struct {
	API                 API
	Pod, UID, Container string
	Write               func(Entry) error
	Gap                 func(Gap) error

	seam     seam
	out      batch
	resumed  bool
	rotation rotation
	waiting  atomic.Int64 // since when for bytes, in nanoseconds; 0 = not
}

// WriteError is an error of Write or Gap: the stream to the host is over.
type WriteError struct{ Err error }

func (e *WriteError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *WriteError) Unwrap() error { return e.Err }

// Start takes the cursor of the last entry that arrived, "" for none. A cursor
// of another pod is a gap: that pod's log cannot be read to its end any more.
func (r *Reader) Start(last string) error {
	r.out = batch{write: r.Write, gap: r.Gap, passed: r.passed}
	r.seam = seam{cursor: cursor{pod: r.UID}, out: &r.out, restart: r.rotation.restart}
	if last == "" {
		return nil
	}
	c, ok := parseCursor(last)
	if !ok || c.pod != r.UID {
		return r.out.mark(Gap{Reason: "the pod whose log was read before is gone"})
	}
	r.seam.cursor, r.resumed = c, true
	return nil
}

// Waiting is how long a read in another goroutine has waited for bytes. A read
// that hands bytes on to a slow host does not wait.
func (r *Reader) Waiting() time.Duration {
	since := r.waiting.Load()
	if since == 0 {
		return 0
	}
	return time.Since(time.Unix(0, since))
}

// Ending is how many bytes the last one to two seconds of the log have, as far as
// it was read. A log that ends in a flood may still be written when its container
// is over.
func (r *Reader) Ending() int64 { return r.seam.rate.now + r.seam.rate.last }

// Last is the time of the last line that was read, zero for none.
func (r *Reader) Last() time.Time {
	if !r.resumed {
		return time.Time{}
	}
	return r.seam.cursor.at()
}

// Read makes one request and reads it to its end; nil = the server ended it in
// order. With follow that is when the container is over.
func (r *Reader) Read(ctx context.Context, follow bool) (read int64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	o := &corev1.PodLogOptions{Container: r.Container, Follow: follow, Timestamps: true}
	r.seam.begin(r.resumed)
	if r.resumed {
		since := metav1.NewTime(r.seam.cursor.at().Add(-slack - time.Second))
		o.SinceTime = &since
	}
	stream, err := r.API.Log(ctx, r.Pod, o)
	if err != nil {
		return 0, err
	}
	chunks, ended := pump(ctx, stream)
	// The pump ends with the stream, and the stream with ctx.
	defer func() {
		cancel()
		stream.Close()
		for range chunks {
		}
	}()
	var split splitter
	idle := time.NewTimer(quiet)
	defer idle.Stop()
	probe := time.NewTicker(probeEvery)
	defer probe.Stop()
	before := r.rotation.delivered
	defer r.waiting.Store(0)
	r.waiting.Store(time.Now().UnixNano())
	for {
		select {
		case data, ok := <-chunks:
			r.waiting.Store(0)
			if !ok {
				return r.end(ctx, &split, <-ended, follow, before)
			}
			if err := split.write(data, r.seam.take); err != nil {
				return r.rotation.delivered - before, err
			}
			if err := r.out.flush(); err != nil {
				return r.rotation.delivered - before, err
			}
			idle.Reset(quiet)
			r.waiting.Store(time.Now().UnixNano())
		case <-idle.C:
			// A seam that holds lines and waits for more would hold them for ever.
			if len(r.seam.held) > 0 {
				if err := r.settle(); err != nil {
					return r.rotation.delivered - before, err
				}
			}
		case <-probe.C:
			if follow && r.rotation.due(time.Now()) {
				if err := r.look(ctx); err != nil {
					return r.rotation.delivered - before, err
				}
			}
		}
	}
}

// end settles a read whose stream is over.
func (r *Reader) end(ctx context.Context, split *splitter, err error, follow bool, before int64) (int64, error) {
	e := split.end(err != nil, follow, r.seam.take)
	switch {
	case e != nil:
		if err = r.out.flush(); err == nil {
			err = e
		}
	case err == nil:
		if err = r.settle(); err == nil && follow && r.rotation.unseen() {
			err = r.look(ctx)
		}
	default:
		if e := r.out.flush(); e != nil {
			err = e
		}
	}
	return r.rotation.delivered - before, err
}

func (r *Reader) settle() error {
	if err := r.seam.settle(); err != nil {
		return err
	}
	return r.out.flush()
}

// passed is told each piece that was delivered.
func (r *Reader) passed(p piece) error {
	r.resumed = true
	return r.rotation.passed(p, r.out.mark)
}

// look reads the beginning of the newest file.
func (r *Reader) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	asked := time.Now()
	few := int64(maxStamp)
	stream, err := r.API.Log(ctx, r.Pod, &corev1.PodLogOptions{Container: r.Container, Timestamps: true, LimitBytes: &few})
	if err != nil {
		return nil // whoever follows will say it
	}
	defer stream.Close()
	head, err := io.ReadAll(io.LimitReader(stream, few))
	if err != nil {
		return nil
	}
	start, _, ok := cutStamp(head)
	if !ok {
		return nil
	}
	return r.rotation.looked(asked, time.Now(), start, r.out.mark)
}

// pump reads stream into chunks. The last error, nil at an orderly end, is in
// ended when chunks is closed.
func pump(ctx context.Context, stream io.Reader) (chunks <-chan []byte, ended <-chan error) {
	out, end := make(chan []byte), make(chan error, 1)
	go func() {
		defer close(out)
		// Two buffers: one is being read while the other one is being filled.
		buffers := [2][]byte{make([]byte, chunk), make([]byte, chunk)}
		for i := 0; ; i++ {
			buffer := buffers[i%2]
			n, err := stream.Read(buffer)
			if n > 0 {
				select {
				case out <- buffer[:n]:
				case <-ctx.Done():
					end <- ctx.Err()
					return
				}
			}
			if errors.Is(err, io.EOF) {
				end <- nil
				return
			}
			if err != nil {
				end <- fmt.Errorf("the log stream of pod broke: %w", err)
				return
			}
		}
	}()
	return out, end
}
