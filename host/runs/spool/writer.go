package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/stephost/stephost/host/problem"
)

// Defaults of Options.
const (
	// DefaultLimit keeps a runaway progress bar from filling a disk; it is far
	// above what people read.
	DefaultLimit = 2 << 30
	// DefaultSegmentSize bounds what recovery has to read.
	DefaultSegmentSize = 64 << 20
	// minSegment keeps a small limit from making a file per line.
	minSegment = 4 << 10
	// retryAfter is how long a writer whose disk made trouble counts instead
	// of trying again.
	retryAfter = time.Second
	// batch is how much is encoded before it is written.
	batch = 4 << 20
	// firstFence is that of a run's first claim: it replaces nobody.
	firstFence = 1
)

// Options are those of a Writer; the zero value has the defaults.
type Options struct {
	// Fence is the fence of the claim under which the log is written
	// (runs.Claim): a Writer with a lower one than the log's newest is refused.
	Fence int64
	// Limit is how many bytes the log may take on disk; 0 = DefaultLimit,
	// negative = none. Above it, segments in the middle are dropped: a quarter
	// of the limit is kept from the beginning, the rest from the end.
	Limit int64
	// MinFree is how many bytes of the disk stay free; 0 = 256 MiB or 2 % of
	// the disk, whichever is less; negative = none.
	MinFree int64
	// SegmentSize is the size at which a segment is closed; 0 =
	// DefaultSegmentSize, at most an eighth of the limit.
	SegmentSize int64
	// Buffers is shared by the logs of a process that writes many; nil = the
	// writer's own.
	Buffers *Buffers
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Writer writes one log. It is safe for concurrent use. It takes little memory,
// and the first of a run no file until something is written.
//
// Its methods return ErrClosed, ErrSuperseded, or nothing: trouble with the disk
// is no error, because it must not end a run. It becomes a gap.
type Writer struct {
	dir string
	o   Options

	mu     sync.Mutex
	closed bool
	ended  error // ErrSuperseded

	// The segment that is being written; file is nil before the first write.
	file *os.File
	head header
	off  int64
	// prev and prevLen are the predecessor of the next segment.
	prev    uint64
	prevLen int64
	next    uint64 // number of the next segment
	data    int64  // bytes of the log so far
	// bare is a segment in which its writer has written nothing: the next one takes
	// its place. 0 = none.
	bare uint64
	// looked is how the directory was when no newer writer was in it; see replaced.
	looked time.Time

	sources map[string]*sourceState
	order   []*sourceState
	defined map[uint64]bool // in this segment
	bufs    *Buffers

	disk diskState
	keep retention

	notify  chan struct{}
	waiters int
}

// OpenWriter opens the log in dir for writing, making it when missing, and
// recovers where each source stands. What a dead writer left torn is cut. A writer
// before it that still lives learns at its next write that it was replaced. It
// fails with ErrSuperseded when a writer with a higher fence was here, with
// *VersionError when a newer stephost was.
func OpenWriter(dir string, o Options) (*Writer, error) {
	if o.Limit == 0 {
		o.Limit = DefaultLimit
	}
	if o.SegmentSize == 0 {
		o.SegmentSize = DefaultSegmentSize
	}
	if o.Limit > 0 {
		const share = 8
		o.SegmentSize = min(o.SegmentSize, o.Limit/share)
	}
	o.SegmentSize = max(o.SegmentSize, minSegment)
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the log: %w", err)
	}
	if o.Buffers == nil {
		o.Buffers = &Buffers{}
	}
	w := &Writer{dir: dir, o: o, bufs: o.Buffers, sources: map[string]*sourceState{}, next: 1}
	tidy(dir)
	if err := w.recover(); err != nil {
		return nil, err
	}
	if o.Fence > firstFence {
		// The segment says so to whoever is replaced. Trouble of the disk is no error
		// here either: the first write tries again.
		if err := w.openSegment(); errors.Is(err, ErrSuperseded) {
			return nil, err
		}
	}
	return w, nil
}

// recover reads the last segment: its header says where every source stood when
// it began, its frames what came then.
func (w *Writer) recover() error {
	l, err := readLayout(w.dir, map[uint64]*header{})
	if err != nil {
		return err
	}
	w.next = l.highest + 1
	w.keep.start(w.dir, l)
	tip := l.tip()
	if tip == nil {
		return nil
	}
	if tip.Fence > w.o.Fence {
		return ErrSuperseded
	}
	w.data = tip.Data
	byID := map[uint64]*sourceState{}
	for _, st := range tip.Sources {
		w.know(st, byID)
	}
	s, err := openScanner(w.dir, tip.Seq, -1, w.bufs)
	if err != nil {
		return err
	}
	defer s.close()
	bare := !tip.zstd
	for {
		f, err := s.next()
		if errors.Is(err, errEnd) || errors.Is(err, errDamaged) {
			// Behind this point nothing was acknowledged that is not in the
			// sources' cursors: they will send it again.
			break
		}
		if err != nil {
			return err
		}
		bare = bare && f.kind == frameHeader
		w.replay(f, byID)
	}
	w.prev, w.prevLen = tip.Seq, s.off
	if bare {
		w.prev, w.prevLen, w.bare = tip.Prev, tip.PrevLen, tip.Seq
		w.keep.reopen()
	}
	return nil
}

func (w *Writer) know(st *sourceState, byID map[uint64]*sourceState) {
	c := *st // headers are cached and shared
	byID[c.ID] = &c
	w.sources[c.source().Key()] = &c
	w.order = append(w.order, &c)
}

func (w *Writer) replay(f frame, byID map[uint64]*sourceState) {
	if f.kind == frameSource {
		if st, err := parseSource(f); err == nil && byID[st.ID] == nil {
			w.know(st, byID)
		}
		return
	}
	if f.kind == KindEntry {
		w.data += int64(len(f.body))
	}
	st := byID[f.source]
	if st == nil {
		return
	}
	if len(f.cursor) > 0 {
		st.Cursor = string(f.cursor)
	}
	if f.kind == KindEnd {
		st.Ended = true
	}
}

// Append adds entries of a source, in order, with one write. When it returns,
// they outlive the death of this process. Entries without a time get the
// present one.
func (w *Writer) Append(src Source, entries []Entry) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.append(src, entries)
}

func (w *Writer) append(src Source, entries []Entry) error {
	for len(entries) > 0 {
		if err := w.usable(); err != nil {
			return err
		}
		st := w.source(src)
		b := w.begin(st)
		n := 0
		for n < len(entries) && len(b.buf) < batch {
			b.entry(st, &entries[n], w.o.Now)
			n++
		}
		if err := w.flush(b); err != nil {
			return err
		}
		entries = entries[n:]
	}
	return nil
}

// Gap says that bytes of a source may be, or are, missing. The zero Source
// means the whole log.
func (w *Writer) Gap(src Source, g Gap) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mark(src, func(b *pending, st *sourceState) { b.gap(st, g, "") })
}

// End says that a source is over.
func (w *Writer) End(src Source) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mark(src, func(b *pending, st *sourceState) { b.end(st) })
}

// Epoch says that a source starts anew (a restart, a new pod), and why. Cursors
// do not cross epochs: src is the new source.
func (w *Writer) Epoch(src Source, text string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mark(src, func(b *pending, st *sourceState) { b.text(KindEpoch, st, text) })
}

// Note adds a line of stephost's own.
func (w *Writer) Note(text string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mark(Source{}, func(b *pending, _ *sourceState) { b.text(KindNote, nil, text) })
}

// Finish says that the log is complete: readers that follow it come to its end.
// Writing may go on (a run that was reopened); the log is complete again with
// the next Finish.
func (w *Writer) Finish() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mark(Source{}, func(b *pending, _ *sourceState) { b.finish() })
}

// Cursors is where each source stands, by Source.Key: what is stored and, while
// this writer lives, what was given up with a mark. Sources without a cursor
// are left out.
func (w *Writer) Cursors() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := make(map[string]string, len(w.order))
	for key, st := range w.sources {
		if st.Cursor != "" {
			m[key] = st.Cursor
		}
	}
	return m
}

// Ended is the sources that are over, by Source.Key.
func (w *Writer) Ended() map[string]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := map[string]bool{}
	for key, st := range w.sources {
		if st.Ended {
			m[key] = true
		}
	}
	return m
}

// Settle tries once more to write the marks that the disk did not take. It returns
// why the log still lacks something that is not marked in it, or "". As long as it
// does, a new writer finds the sources where they stood before, and can ask for
// what is missing.
func (w *Writer) Settle() (owed string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.usable() != nil || !w.disk.owes() {
		return ""
	}
	w.settleNow()
	if w.usable() != nil || !w.disk.owes() {
		return ""
	}
	return w.disk.reason
}

// settleNow writes what is owed without waiting until it is worth a try.
func (w *Writer) settleNow() {
	w.disk.retryAt = time.Time{}
	_ = w.flush(w.begin(nil))
}

// Close writes the marks that the disk did not take so far, if it takes them
// now, and lets go of the log. The log itself goes on: whoever opens it next
// finds everything.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	if w.ended == nil && w.disk.owes() {
		w.settleNow()
	}
	w.closed = true
	w.keep.stop()
	w.wake()
	if w.file != nil {
		if err := w.file.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
			return fmt.Errorf("the log: %w", err)
		}
	}
	return nil
}

func (w *Writer) usable() error {
	if w.closed {
		return ErrClosed
	}
	return w.ended
}

// mark writes one frame that is no entry.
func (w *Writer) mark(src Source, add func(b *pending, st *sourceState)) error {
	if err := w.usable(); err != nil {
		return err
	}
	var st *sourceState
	if src != (Source{}) {
		st = w.source(src)
	}
	b := w.begin(st)
	add(b, st)
	return w.flush(b)
}

// source is the state of a source, new or known.
func (w *Writer) source(src Source) *sourceState {
	key := src.Key()
	if st := w.sources[key]; st != nil {
		return st
	}
	var highest uint64
	for _, st := range w.order {
		highest = max(highest, st.ID)
	}
	st := newSourceState(highest+1, src)
	w.sources[key] = st
	w.order = append(w.order, st)
	return st
}

// wake tells readers in this process.
func (w *Writer) wake() {
	if w.waiters > 0 {
		close(w.notify)
		w.waiters = 0
	}
}

// changed is closed at the next change of the log; nil when this writer will
// make none.
func (w *Writer) changed() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.usable() != nil {
		return nil
	}
	if w.waiters == 0 {
		w.notify = make(chan struct{})
	}
	w.waiters++
	return w.notify
}

func bounded(text string) string { return problem.Bound(text, maxText) }
