package spool

import (
	"encoding/json"
	"time"
)

// pending is a batch of frames on the way to the disk.
type pending struct {
	buf []byte
	// defines are the sources whose definitions are in it.
	defines []uint64
	items   []item
}

// item is what a frame of a batch means, for the case that only a part of the
// batch can be written.
type item struct {
	end    int // of its frame in the buffer
	kind   Kind
	bytes  int64
	cursor string
	// st is the source, nil for the log as a whole.
	st *sourceState
	g  Gap
	// settles: it pays a debt of the disk's.
	settles bool
}

func (p *pending) add(kind Kind, flags uint8, nanos int64, st *sourceState, it item, body []byte) {
	var id uint64
	if st != nil {
		id = st.ID
	}
	p.buf = appendFrame(p.buf, kind, flags, nanos, id, it.cursor, body)
	it.end, it.kind, it.st = len(p.buf), kind, st
	p.items = append(p.items, it)
}

func (p *pending) entry(st *sourceState, e *Entry, now func() time.Time) {
	at := e.Time
	if at.IsZero() {
		at = now()
	}
	var late uint8
	if e.Late {
		late = flagLate
	}
	data := e.Data
	for len(data) > maxEntry { // the cursor covers the last piece alone
		p.add(KindEntry, late|flagPartial, at.UnixNano(), st, item{bytes: maxEntry}, data[:maxEntry])
		data = data[maxEntry:]
	}
	flags := late
	if e.Partial {
		flags |= flagPartial
	}
	p.add(KindEntry, flags, at.UnixNano(), st, item{bytes: int64(len(data)), cursor: e.Cursor}, data)
}

func (p *pending) gap(st *sourceState, g Gap, cursor string) {
	g.Reason = bounded(g.Reason)
	body, _ := json.Marshal(gapBody(g)) // strings and a number: cannot fail
	p.add(KindGap, 0, p.now(), st, item{cursor: cursor, g: g}, body)
}

func (p *pending) end(st *sourceState) { p.add(KindEnd, 0, p.now(), st, item{}, nil) }

func (p *pending) finish() { p.add(KindFinish, 0, p.now(), nil, item{}, nil) }

func (p *pending) text(kind Kind, st *sourceState, text string) {
	p.add(kind, 0, p.now(), st, item{}, []byte(bounded(text)))
}

// now is the time of marks: they are read by people, beside the backend's own
// times, and no decision hangs on them.
func (p *pending) now() int64 { return time.Now().UnixNano() }

func parseSource(f frame) (*sourceState, error) {
	var st sourceState
	if err := json.Unmarshal(f.body, &st); err != nil {
		return nil, err
	}
	return &st, nil
}
