package spool

import (
	"strconv"
	"time"
)

// Source is one ordered sequence of bytes of a run. Order is promised within a
// source only.
type Source struct {
	// Name identifies the source: "attempt/epoch/node/container/stream" in the
	// contract. It is made from the other fields when empty.
	Name                 string
	Attempt, Epoch, Node int32
	Container, Stream    string
}

// Key is the source's name: what Cursors and Ended are keyed by.
func (s Source) Key() string {
	if s.Name != "" {
		return s.Name
	}
	b := make([]byte, 0, 64)
	b = strconv.AppendInt(b, int64(s.Attempt), 10)
	b = append(b, '/')
	b = strconv.AppendInt(b, int64(s.Epoch), 10)
	b = append(b, '/')
	b = strconv.AppendInt(b, int64(s.Node), 10)
	b = append(b, '/')
	b = append(b, s.Container...)
	b = append(b, '/')
	b = append(b, s.Stream...)
	return string(b)
}

// Entry holds whole lines that carry one and the same time, or a part of one
// line (Partial).
type Entry struct {
	Time time.Time
	// Data is kept byte for byte, line ends included.
	Data []byte
	// Cursor is the position behind this entry in the words of its source.
	Cursor string
	// Partial: the last line goes on in the next entry of this source.
	Partial bool
	// Late: arrived after the end of its source had been reported.
	Late bool
}

// Certainty of a gap.
const (
	Proven   = "proven"
	Possible = "possible"
)

// Gap says that bytes may be, or are, missing.
type Gap struct {
	Certainty string
	Reason    string
	// Bytes is 0 where the number is not known.
	Bytes int64
}

// Kind says what a Record is.
type Kind uint8

// The kinds of records.
const (
	// KindEntry: Entry is set.
	KindEntry Kind = iota + 1
	// KindGap: Gap is set; Source too unless the gap concerns the whole log.
	KindGap
	// KindEnd: Source is over.
	KindEnd
	// KindNote: Note is a line of stephost's own.
	KindNote
	// KindEpoch: Source started anew; Note says why.
	KindEpoch
	// KindFinish: the log is complete. A log that goes on behind it (a run that
	// was reopened) is not complete until the next one.
	KindFinish
)

// Record is one thing in a log. A Record and the bytes in it are valid until
// the next call of Reader.Next.
type Record struct {
	Kind   Kind
	Time   time.Time
	Source Source
	Entry  Entry
	Gap    Gap
	Note   string
}
