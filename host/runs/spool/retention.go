package spool

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2/maybe"
)

// reasonLimit is the reason of the gap where segments were dropped.
const reasonLimit = "dropped: the log is over its size limit"

// maxWaiting is how many closed segments may wait to be compressed before the
// writer waits for them: without a bound a flood would be dropped by its size
// before compression although it would fit after it.
const maxWaiting = 4

// dropped says which segments of the middle are gone.
type dropped struct {
	From  uint64 `json:"from"`
	To    uint64 `json:"to"`
	Bytes int64  `json:"bytes"`
	// Head is the last segment before the hole, HeadLen how much of it counts,
	// HeadData the number of bytes of the log up to there.
	Head     uint64 `json:"head"`
	HeadLen  int64  `json:"head_len"`
	HeadData int64  `json:"head_data"`
}

// readDropped is nil when nothing was dropped, and when the note of it cannot be
// read: what is missing then shows as a possible gap, which must not keep anybody
// from going on with the run. The next note replaces it.
func readDropped(dir string) *dropped {
	b, err := os.ReadFile(filepath.Join(dir, droppedName))
	if err != nil {
		return nil
	}
	var d dropped
	if err := json.Unmarshal(b, &d); err != nil {
		return nil
	}
	return &d
}

// stored is a closed segment on disk.
type stored struct {
	h    *header
	end  int64 // bytes that count
	data int64 // bytes of the log at its end
	disk int64 // bytes on disk
	raw  bool
}

// retention compresses closed segments and drops those above the limit. It
// belongs to one writer and is used under the writer's lock; only the
// compressing goroutine works outside of it.
type retention struct {
	list []stored
	hole *dropped
	// waiting are the numbers of segments to compress; each result of the
	// goroutine comes through done. failed: compression is given up (disk full);
	// the next writer, or Compact, tries again.
	waiting int
	work    chan stored
	done    chan compressed
	cancel  context.CancelFunc
	failed  bool
}

type compressed struct {
	seq   uint64
	saved int64
	err   error
}

// start takes stock of what earlier writers left.
func (r *retention) start(dir string, l *layout) {
	r.hole = readDropped(dir)
	for i, k := range l.links {
		s := stored{h: k.header, end: k.end, raw: !k.zstd}
		if i+1 < len(l.links) {
			s.data = l.links[i+1].Data
		}
		if r.hole != nil && k.Seq == r.hole.Head {
			s.data = r.hole.HeadData
		}
		path := segmentPath(dir, k.Seq)
		if k.zstd {
			path = zstdPath(dir, k.Seq)
		}
		if info, err := os.Stat(path); err == nil {
			s.disk = info.Size()
		}
		r.list = append(r.list, s)
	}
}

// reopen forgets the last segment: the one before it is the last again.
func (r *retention) reopen() {
	r.list = r.list[:len(r.list)-1]
	if n := len(r.list); n > 0 {
		r.list[n-1].end = -1
	}
}

// closed takes in a segment that the writer closed.
func (r *retention) closed(w *Writer, h *header, end int64) {
	if n := len(r.list); n > 0 && r.list[n-1].end < 0 {
		// The tip of the writer before: now it is known how much of it counts.
		r.list[n-1].end, r.list[n-1].data = h.PrevLen, h.Data
		r.compress(w.dir, r.list[n-1])
	}
	s := stored{h: h, end: end, data: w.data, disk: end, raw: true}
	r.list = append(r.list, s)
	r.compress(w.dir, s)
	r.collect(false)
	for r.waiting > maxWaiting && !r.failed {
		r.collect(true)
	}
	if w.o.Limit > 0 {
		r.drop(w)
	}
}

// compress hands a segment to the goroutine, starting it when needed: an idle
// writer has none.
func (r *retention) compress(dir string, s stored) {
	if r.failed || !s.raw {
		return
	}
	if r.work == nil {
		const room = maxWaiting + 4 // never blocks: closed waits before that
		ctx, cancel := context.WithCancel(context.Background())
		r.work, r.done, r.cancel = make(chan stored, room), make(chan compressed, room), cancel
		go compressAll(ctx, dir, r.work, r.done)
	}
	r.waiting++
	r.work <- s
}

func compressAll(ctx context.Context, dir string, work <-chan stored, done chan<- compressed) {
	defer close(done)
	for s := range work {
		saved, err := compressSegment(ctx, dir, s.h, s.end)
		done <- compressed{seq: s.h.Seq, saved: saved, err: err}
	}
}

// collect takes the results that are there, at least one when wait is set. The
// goroutine ends when nothing is left.
func (r *retention) collect(wait bool) {
	for r.waiting > 0 {
		var c compressed
		if wait {
			c = <-r.done
			wait = false
		} else {
			select {
			case c = <-r.done:
			default:
				return
			}
		}
		r.waiting--
		r.failed = r.failed || c.err != nil
		for i := range r.list {
			if r.list[i].h.Seq == c.seq && c.err == nil {
				r.list[i].disk -= c.saved
				r.list[i].raw = false
			}
		}
	}
	if r.work != nil {
		close(r.work)
		r.work, r.done = nil, nil
		r.cancel()
	}
}

// stop ends the goroutine; what it has not done, Compact or the next writer
// does.
func (r *retention) stop() {
	if r.work == nil {
		return
	}
	r.cancel()
	close(r.work)
	for range r.done {
	}
	r.work, r.done = nil, nil
}

// drop removes the oldest segments behind the head until the log fits. The note
// of it is on disk before the first file goes.
func (r *retention) drop(w *Writer) {
	const headShare = 4
	var total, head int64
	for _, s := range r.list {
		total += s.disk
	}
	first := 0
	for first < len(r.list) && (first == 0 || head+r.list[first].disk <= w.o.Limit/headShare) {
		if r.hole != nil && r.list[first].h.Seq > r.hole.Head {
			break
		}
		head += r.list[first].disk
		first++
	}
	last := first
	for last < len(r.list) && total > w.o.Limit-w.o.SegmentSize {
		total -= r.list[last].disk
		last++
	}
	if last == first {
		return
	}
	if r.waiting > 0 && !r.failed {
		// Compressed, it may fit; and what is being compressed must not be
		// removed, or it would come back.
		for r.waiting > 0 && !r.failed {
			r.collect(true)
		}
		r.drop(w)
		return
	}
	gone := r.list[first:last]
	before := r.list[first-1]
	hole := dropped{From: gone[0].h.Seq, To: gone[len(gone)-1].h.Seq, Head: before.h.Seq, HeadLen: before.end, HeadData: before.data}
	hole.Bytes = gone[len(gone)-1].data - before.data
	if r.hole != nil {
		hole.From = min(hole.From, r.hole.From)
	}
	body, err := json.Marshal(hole)
	if err != nil {
		return
	}
	if err := maybe.WriteFile(filepath.Join(w.dir, droppedName), body, 0o600); err != nil {
		return // the disk is full; the limit is tried again at the next segment
	}
	for _, s := range gone {
		_ = os.Remove(segmentPath(w.dir, s.h.Seq))
		_ = os.Remove(zstdPath(w.dir, s.h.Seq))
	}
	r.list = append(r.list[:first:first], r.list[last:]...)
	r.hole = &hole
}
