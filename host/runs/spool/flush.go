package spool

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/stephost/stephost/internal/disk"
)

// begin starts a batch: first what the disk owes, then the definition of the
// source if this segment does not have it. It makes room for a new segment, so
// that the batch goes into one.
func (w *Writer) begin(st *sourceState) *pending {
	b := &pending{buf: w.bufs.get(0)}
	if w.file != nil && w.off >= w.o.SegmentSize {
		w.closeSegment()
	}
	if w.disk.owes() && w.disk.due(w.o.Now()) {
		w.settle(b)
	}
	if st != nil {
		w.define(b, st)
	}
	return b
}

// define puts the definition of a source before its first frame in a segment.
// Those that a header already holds (the next segment's, while there is no
// file) need none.
func (w *Writer) define(b *pending, st *sourceState) {
	if w.file == nil || w.defined[st.ID] {
		return
	}
	plain := *st
	plain.Cursor, plain.Ended = "", false
	body, _ := json.Marshal(&plain) // strings and numbers: cannot fail
	b.buf = appendFrame(b.buf, frameSource, 0, noTime, st.ID, "", body)
	b.defines = append(b.defines, st.ID)
	w.defined[st.ID] = true
}

// flush writes the batch and takes account of what was and what was not
// written.
func (w *Writer) flush(b *pending) error {
	written := 0
	if w.disk.due(w.o.Now()) {
		var err error
		written, err = w.write(b.buf)
		if errors.Is(err, ErrSuperseded) {
			w.ended = ErrSuperseded
			w.bufs.put(b.buf)
			w.wake()
			return ErrSuperseded
		}
		w.disk.result(err, w.o.Now())
	}
	w.account(b, written)
	w.bufs.put(b.buf)
	if written > 0 {
		w.wake()
	}
	return nil
}

// account settles a batch of which the first written bytes are on disk.
func (w *Writer) account(b *pending, written int) {
	if written < len(b.buf) {
		for _, id := range b.defines { // perhaps there; a second one does no harm
			delete(w.defined, id)
		}
	}
	for _, it := range b.items {
		switch onDisk := it.end <= written; {
		case onDisk && it.settles:
			w.disk.paid(it)
		case onDisk && it.kind == KindEntry:
			w.data += it.bytes
		case onDisk && it.kind == KindFinish:
			w.disk.finish = false
		case !onDisk && !it.settles:
			w.disk.owe(it)
		}
		// What was lost stands behind a mark, so the source's position in this
		// process moves on all the same; on disk it does not, and a successor
		// asks for it again.
		if it.st != nil && it.cursor != "" {
			it.st.Cursor = it.cursor
		}
		if it.st != nil && it.kind == KindEnd {
			it.st.Ended = true
		}
	}
}

// write puts whole frames into the present segment, or the next one. It returns
// how many bytes of whole frames are on disk.
func (w *Writer) write(buf []byte) (int, error) {
	if len(buf) == 0 {
		return 0, nil
	}
	if w.replaced() {
		return 0, ErrSuperseded
	}
	if err := w.disk.room(w.dir, w.o.MinFree, len(buf)); err != nil {
		return 0, err
	}
	if w.file == nil {
		if err := w.openSegment(); err != nil {
			return 0, err
		}
	}
	// At the tracked offset, not at the end: what was torn is written over.
	n, err := w.file.WriteAt(buf, w.off)
	if err == nil {
		w.off += int64(n)
		return n, nil
	}
	whole := 0
	for {
		_, size, status := cutFrame(buf[whole:n])
		if status != frameWhole {
			break
		}
		whole += size
	}
	w.off += int64(whole)
	// Readers may have seen the whole frames: those stay. The torn rest must
	// go, or a later, shorter write would leave parts of it behind.
	if cut := w.file.Truncate(w.off); cut != nil {
		w.closeSegment()
	}
	return whole, err
}

// openSegment starts the next segment. Its header says everything that recovery
// needs of those before it.
func (w *Writer) openSegment() error {
	for {
		h := header{Version: formatVersion, Seq: w.next, Fence: w.o.Fence, Prev: w.prev, PrevLen: w.prevLen, Data: w.data, Sources: w.order}
		body, err := json.Marshal(&h)
		if err != nil {
			return err
		}
		path := segmentPath(w.dir, h.Seq)
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
		if errors.Is(err, fs.ErrExist) {
			// Another writer was here. With a lower fence it is a replaced one,
			// and its segment is void once ours is there.
			if err := w.contest(h.Seq); err != nil {
				return err
			}
			w.next++
			continue
		}
		if err != nil {
			return err
		}
		frame := appendFrame(nil, frameHeader, 0, w.o.Now().UnixNano(), 0, "", body)
		n, err := f.WriteAt(frame, 0)
		if err != nil {
			// The disk is full: do not leave a torn segment per try.
			_ = f.Close()
			if rm := os.Remove(path); rm != nil {
				w.next++
			}
			return err
		}
		if w.bare != 0 {
			_ = os.Remove(segmentPath(w.dir, w.bare)) // void: nothing comes of it when it stays
			w.bare = 0
		}
		h.Sources = nil // only the written form needs them
		w.file, w.head, w.off, w.next = f, h, int64(n), w.next+1
		w.defined = make(map[uint64]bool, len(w.order))
		for _, st := range w.order {
			w.defined[st.ID] = true
		}
		return nil
	}
}

func (w *Writer) contest(seq uint64) error {
	h, err := readHeader(w.dir, seq, false)
	if errors.Is(err, fs.ErrNotExist) {
		h, err = readHeader(w.dir, seq, true)
	}
	switch {
	case errors.Is(err, errNoSegment), errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case h.Fence >= w.o.Fence:
		return ErrSuperseded
	}
	return nil
}

// closeSegment ends the present segment: it becomes the predecessor of the
// next.
func (w *Writer) closeSegment() {
	_ = w.file.Close()
	w.file = nil
	h := w.head
	w.prev, w.prevLen = h.Seq, w.off
	w.keep.closed(w, &h, w.off)
}

// due says whether it is worth a try.
func (d *diskState) due(now time.Time) bool { return d.reason == "" || !now.Before(d.retryAt) }

// reasonOf words trouble for the log's reader.
func reasonOf(err error) string {
	if disk.Full(err) {
		return "disk full"
	}
	var low *lowDiskError
	if errors.As(err, &low) {
		return low.Error()
	}
	return fmt.Sprintf("cannot write the log: %v", err)
}
