package podlog

import "time"

// Lines of a flood are handed on together. Each has a time of its own, in
// nanoseconds, and an entry has one: lines count as written at one time when
// they are within sameTime, which no person can tell apart.
const (
	sameTime  = time.Millisecond
	batchSize = 60 << 10 // an entry has at most 64 KiB
)

// batch is the entry that is being filled.
type batch struct {
	write  func(Entry) error
	gap    func(Gap) error
	passed func(piece) error

	time   time.Time
	data   []byte
	cursor *cursor
}

// takes tells whether p fits into the entry.
func (b *batch) takes(p piece) bool {
	apart := p.time.Sub(b.time)
	return len(b.data) == 0 || len(b.data)+len(p.data) <= batchSize && apart < sameTime && apart > -sameTime
}

// add adds p, behind which c stands. A part of a line goes on at once.
func (b *batch) add(p piece, c *cursor) error {
	if len(b.data) == 0 {
		b.time = p.time
	}
	b.data, b.cursor = append(b.data, p.data...), c
	if !p.last {
		return b.flush()
	}
	return nil
}

// flush hands the entry on.
func (b *batch) flush() error {
	if len(b.data) == 0 {
		return nil
	}
	e := Entry{Time: b.time, Data: b.data, Cursor: b.cursor.String(), Partial: b.cursor.open}
	b.data = b.data[:0]
	return wrap(b.write(e))
}

// mark hands on what stands before a gap, and the gap.
func (b *batch) mark(g Gap) error {
	if err := b.flush(); err != nil {
		return err
	}
	return wrap(b.gap(g))
}

func wrap(err error) error {
	if err == nil {
		return nil
	}
	return &WriteError{Err: err}
}
