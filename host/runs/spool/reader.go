package spool

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"time"
)

// ReadOptions choose what a Reader shows; the zero value is all that is there.
type ReadOptions struct {
	// Follow waits for more, until the log is finished.
	Follow bool
	// Since leaves out what is older, by the times of the records.
	Since time.Time
	// Tail starts at the last so many lines, in the order in which they were
	// stored, counted when the Reader is opened; 0 = all, negative = none.
	Tail int
	// Buffers is shared by the logs of a process that reads many; nil = the
	// reader's own.
	Buffers *Buffers
}

// Reader reads a log from its files, at its own pace; it may run in any
// process, beside the writer or without one. It belongs to one goroutine.
type Reader struct {
	dir    string
	o      ReadOptions
	writer *Writer // in this process, or nil
	bufs   *Buffers
	since  int64

	cache map[uint64]*header
	links []link
	at    int
	// existed: the log was there at the last look; last is its last segment.
	existed bool
	last    uint64
	scan    *scanner
	sources map[uint64]Source
	// skip is how many lines are left out at the start.
	skip int
	// queued is a gap that comes before the next frame.
	queued   *Gap
	finished bool
	closed   bool

	wait waiter
	rec  Record
}

// OpenReader opens the log in dir for reading. A log that does not exist (yet)
// is empty.
func OpenReader(dir string, o ReadOptions) (*Reader, error) { return openReader(dir, o, nil) }

// NewReader is OpenReader for the log that this Writer writes: it is told of
// changes at once. It stays usable when the Writer is closed.
func (w *Writer) NewReader(o ReadOptions) (*Reader, error) {
	if o.Buffers == nil {
		o.Buffers = w.bufs
	}
	return openReader(w.dir, o, w)
}

func openReader(dir string, o ReadOptions, w *Writer) (*Reader, error) {
	r := &Reader{dir: filepath.Clean(dir), o: o, writer: w, bufs: o.Buffers, since: noTime, cache: map[uint64]*header{}, sources: map[uint64]Source{}}
	if r.bufs == nil {
		r.bufs = &Buffers{}
	}
	if !o.Since.IsZero() {
		r.since = o.Since.UnixNano()
	}
	if err := r.layout(); err != nil {
		return nil, err
	}
	if o.Tail != 0 {
		if err := r.seekTail(max(o.Tail, 0)); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Close lets go of files.
func (r *Reader) Close() error {
	r.closed = true
	r.leave()
	r.wait.close()
	return nil
}

// Next is the next record; it and its bytes are valid until the next call.
// io.EOF: the log is finished, or (without Follow) nothing more is there now.
// What cannot be read shows as a gap, not as an error; only of a log that is
// removed meanwhile nobody can say what is missing (ErrRemoved). The context ends
// the wait for more.
func (r *Reader) Next(ctx context.Context) (*Record, error) {
	for {
		if r.closed {
			return nil, ErrClosed
		}
		if g := r.queued; g != nil {
			r.queued = nil
			if r.skip == 0 {
				r.rec = Record{Kind: KindGap, Gap: *g}
				return &r.rec, nil
			}
		}
		if r.scan == nil {
			opened, err := r.enter()
			if err != nil {
				return nil, err
			}
			if !opened {
				if err := r.more(ctx); err != nil {
					return nil, err
				}
			}
			continue
		}
		f, err := r.scan.next()
		if r.scan.grew {
			// Whoever wrote this may have been replaced before it did: then it is void,
			// and the successor, who was there first, says where it begins to be.
			r.scan.grew = false
			if err := r.layout(); err != nil {
				return nil, err
			}
			if s := r.scan; s == nil || s.end >= 0 && (err != nil || s.off > s.end) {
				continue
			}
		}
		switch {
		case err == nil:
			if r.show(f) {
				return &r.rec, nil
			}
		case errors.Is(err, errDamaged):
			r.queued = &Gap{Certainty: Possible, Reason: errDamaged.Error(), Bytes: max(r.scan.end-r.scan.off, 0)}
			r.leave()
			r.at++
		case !errors.Is(err, errEnd):
			return nil, err
		case r.scan.end >= 0:
			r.leave()
			r.at++
		default:
			if err := r.more(ctx); err != nil {
				return nil, err
			}
		}
	}
}

// enter opens the present segment.
func (r *Reader) enter() (bool, error) {
	if r.at >= len(r.links) {
		return false, nil
	}
	k := &r.links[r.at]
	s, err := openScanner(r.dir, k.Seq, k.end, r.bufs)
	if err != nil {
		// Dropped or removed under our hands: look again.
		again := r.layout()
		if errors.Is(again, ErrRemoved) {
			return false, again
		}
		if again != nil || r.at < len(r.links) && r.links[r.at].Seq == k.Seq {
			return false, err
		}
		return r.at < len(r.links), nil
	}
	r.scan = s
	if k.gap != nil {
		r.queued, k.gap = k.gap, nil
	}
	for _, st := range k.Sources {
		r.sources[st.ID] = st.source()
	}
	if s.ix != nil {
		for _, st := range s.ix.Sources {
			r.sources[st.ID] = st.source()
		}
		s.skipBlocks(r.skippable)
	}
	return true, nil
}

// skippable says that nothing of a block would be shown.
func (r *Reader) skippable(b blockIndex) bool {
	if r.since != noTime && b.Max < r.since {
		return true
	}
	if r.since == noTime && r.skip > 0 && b.Lines < r.skip {
		r.skip -= b.Lines
		return true
	}
	return false
}

func (r *Reader) leave() {
	if r.scan != nil {
		r.scan.close()
		r.scan = nil
	}
}

// layout looks at the directory and finds the present place in it again.
func (r *Reader) layout() error {
	var seq uint64
	switch {
	case r.at < len(r.links):
		seq = r.links[r.at].Seq
	case len(r.links) > 0:
		seq = r.links[len(r.links)-1].Seq + 1
	}
	l, err := readLayout(r.dir, r.cache)
	if err == nil && r.removed(l) {
		l, err = readLayout(r.dir, r.cache) // a listing of many files may miss those that change meanwhile
	}
	if err != nil {
		return err
	}
	if r.removed(l) {
		r.leave()
		return ErrRemoved
	}
	r.existed, r.last = !l.missing, l.last()
	r.links, r.at = l.links, len(l.links)
	for i := range r.links {
		if r.links[i].Seq < seq {
			r.links[i].gap = nil // shown, or skipped
			continue
		}
		r.at = i
		break
	}
	if r.scan == nil || r.at >= len(r.links) {
		return nil
	}
	if k := &r.links[r.at]; k.Seq == seq {
		k.gap = nil
		r.scan.end = k.end
		return nil
	}
	// The segment in hand was dropped or replaced.
	r.leave()
	return nil
}

// removed tells whether the log was removed since the last look. What is left of it
// while it is being removed is no log: its last segment only ever gives way to a
// later one.
func (r *Reader) removed(l *layout) bool { return l.missing && r.existed || l.last() < r.last }

// more is called at the end of what is there. It returns nil when it is worth
// to look again.
func (r *Reader) more(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := r.layout(); err != nil {
		return err
	}
	if r.scan == nil && r.at < len(r.links) || r.scan != nil && r.scan.end >= 0 {
		return nil // another segment has come
	}
	if !r.o.Follow || r.finished {
		return io.EOF
	}
	return r.wait.wait(ctx, r)
}

// Finished tells whether the last thing that was read is the end of the log: one
// that is complete ends so.
func (r *Reader) Finished() bool { return r.finished }

// show turns a frame into the record and says whether it is one to show.
func (r *Reader) show(f frame) bool {
	switch f.kind {
	case frameHeader:
		return false
	case frameSource:
		if st, err := parseSource(f); err == nil {
			r.sources[st.ID] = st.source()
		}
		return false
	}
	r.finished = f.kind == KindFinish
	if r.since != noTime && f.nanos < r.since {
		return false
	}
	body := f.body
	if r.skip > 0 {
		if f.kind != KindEntry {
			return false
		}
		n := lines(f)
		rest := cutLines(body, r.skip)
		if n < r.skip || n == r.skip && (f.flags&flagPartial == 0 || len(rest) == 0) {
			r.skip -= n
			return false
		}
		body, r.skip = rest, 0
	}
	r.rec = Record{Kind: f.kind, Time: toTime(f.nanos), Source: r.sources[f.source]}
	switch f.kind {
	case KindEntry:
		r.rec.Entry = Entry{Time: r.rec.Time, Data: body, Cursor: string(f.cursor), Partial: f.flags&flagPartial != 0, Late: f.flags&flagLate != 0}
	case KindGap:
		var g gapBody
		if err := json.Unmarshal(f.body, &g); err != nil {
			g = gapBody{Certainty: Possible, Reason: "an unreadable mark"}
		}
		r.rec.Gap = Gap(g)
	case KindNote, KindEpoch:
		r.rec.Note = string(f.body)
	case KindEnd, KindFinish:
	default:
		return false // a later version's: what it needs to be seen it must say by its version
	}
	return true
}
