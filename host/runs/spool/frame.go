package spool

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math"
	"sync"
	"time"
)

// A frame is
//
//	length  uint32, little endian: bytes behind the checksum
//	crc     uint32: CRC-32C over length and payload
//	payload kind uint8, flags uint8, time int64 (Unix nanoseconds),
//	        source uvarint (0 = none), length of cursor uvarint, cursor, body
//
// The body of an entry is its bytes, of a gap and of a source JSON, of a note
// and an epoch text, of a header JSON. A stretch of zeros is no frame, because
// kinds start at 1: disks leave zeros behind after a power cut.
const (
	frameHead = 8
	fixedPart = 1 + 1 + 8
	// maxFrame bounds what a reader allocates for a damaged length. A header
	// with 100,000 sources is below it.
	maxFrame = 32 << 20
	// maxEntry is the largest piece of data in one frame; longer entries are
	// stored as several partial ones.
	maxEntry = 1 << 20
	// maxText bounds notes and reasons.
	maxText = 16 << 10
)

// Kinds of frames that are no records.
const (
	frameHeader Kind = 64 + iota
	frameSource
)

// Flags of a frame.
const (
	flagPartial = 1 << iota
	flagLate
)

// noTime stands for the zero time.Time.
const noTime = math.MinInt64

// castagnoli builds the table at first use, not at the start of every command.
var castagnoli = sync.OnceValue(func() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) })

// frame is a parsed payload; its slices point into it.
type frame struct {
	kind   Kind
	flags  uint8
	nanos  int64
	source uint64
	cursor []byte
	body   []byte
}

// appendFrame appends a whole frame to b.
func appendFrame[T ~string | ~[]byte](b []byte, kind Kind, flags uint8, nanos int64, source uint64, cursor string, body T) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0, byte(kind), flags)
	b = binary.LittleEndian.AppendUint64(b, uint64(nanos))
	b = binary.AppendUvarint(b, source)
	b = binary.AppendUvarint(b, uint64(len(cursor)))
	b = append(b, cursor...)
	b = append(b, body...)
	head := b[start:]
	binary.LittleEndian.PutUint32(head, uint32(len(head)-frameHead))
	binary.LittleEndian.PutUint32(head[4:], checksum(head))
	return b
}

// checksum of a whole frame.
func checksum(head []byte) uint32 {
	table := castagnoli()
	return crc32.Update(crc32.Update(0, table, head[:4]), table, head[frameHead:])
}

// What cutFrame says of bytes that are no whole frame.
type frameStatus int

const (
	frameWhole frameStatus = iota
	// frameShort: more bytes may make it one.
	frameShort
	// frameBad: no bytes behind it can.
	frameBad
)

// cutFrame takes the first frame of b and returns its size.
func cutFrame(b []byte) (f frame, size int, status frameStatus) {
	if len(b) < frameHead {
		return f, 0, frameShort
	}
	n := binary.LittleEndian.Uint32(b)
	if n < fixedPart+2 || n > maxFrame {
		return f, 0, frameBad
	}
	size = frameHead + int(n)
	if len(b) < size {
		return f, size, frameShort
	}
	head := b[:size]
	if checksum(head) != binary.LittleEndian.Uint32(head[4:]) {
		return f, size, frameBad
	}
	p := head[frameHead:]
	f.kind, f.flags, f.nanos = Kind(p[0]), p[1], int64(binary.LittleEndian.Uint64(p[2:]))
	p = p[fixedPart:]
	var w int
	if f.source, w = binary.Uvarint(p); w <= 0 {
		return f, size, frameBad
	}
	p = p[w:]
	length, w := binary.Uvarint(p)
	if w <= 0 || length > uint64(len(p)-w) {
		return f, size, frameBad
	}
	p = p[w:]
	f.cursor, f.body = p[:length:length], p[length:]
	return f, size, frameWhole
}

// toTime converts a time of a frame.
func toTime(nanos int64) time.Time {
	if nanos == noTime {
		return time.Time{}
	}
	return time.Unix(0, nanos).UTC()
}

// sourceState is a source as segments describe it.
type sourceState struct {
	ID        uint64 `json:"id"`
	Name      string `json:"name,omitempty"`
	Attempt   int32  `json:"attempt,omitempty"`
	Epoch     int32  `json:"epoch,omitempty"`
	Node      int32  `json:"node,omitempty"`
	Container string `json:"container,omitempty"`
	Stream    string `json:"stream,omitempty"`
	// Cursor and Ended stand in headers: where the source was when the segment
	// began.
	Cursor string `json:"cursor,omitempty"`
	Ended  bool   `json:"ended,omitempty"`
}

func newSourceState(id uint64, s Source) *sourceState {
	return &sourceState{ID: id, Name: s.Name, Attempt: s.Attempt, Epoch: s.Epoch, Node: s.Node, Container: s.Container, Stream: s.Stream}
}

func (s *sourceState) source() Source {
	return Source{Name: s.Name, Attempt: s.Attempt, Epoch: s.Epoch, Node: s.Node, Container: s.Container, Stream: s.Stream}
}

// header is the first frame of a segment.
type header struct {
	Version int    `json:"v"`
	Seq     uint64 `json:"seq"`
	Fence   int64  `json:"fence"`
	// Prev is the segment before this one (0 = none), PrevLen how many of its
	// bytes count.
	Prev    uint64 `json:"prev,omitempty"`
	PrevLen int64  `json:"prev_len,omitempty"`
	// Data is the number of bytes of the log before this segment.
	Data    int64          `json:"data,omitempty"`
	Sources []*sourceState `json:"sources,omitempty"`
}

// formatVersion is the version of frames and headers.
const formatVersion = 1

func parseHeader(f frame) (*header, error) {
	if f.kind != frameHeader {
		return nil, fmt.Errorf("%w: a segment starts with frame kind %d", errNoSegment, f.kind)
	}
	var h header
	if err := json.Unmarshal(f.body, &h); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoSegment, err)
	}
	if h.Version != formatVersion {
		return nil, &VersionError{Version: h.Version}
	}
	return &h, nil
}

// gapBody is the JSON of a gap.
type gapBody struct {
	Certainty string `json:"certainty"`
	Reason    string `json:"reason,omitempty"`
	Bytes     int64  `json:"bytes,omitempty"`
}
