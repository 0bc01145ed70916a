package tail

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
)

// recordSize is runner.TimesRecord: offset, time, lost bytes.
const recordSize = 24

// readAhead is how much is read at once.
const readAhead = 256 << 10

// Reader reads one stream of one job. It is for one goroutine.
type Reader struct {
	job    jobdir.Job
	stream string
	log    *os.File
	times  *os.File
	offset int64
	buf    []byte
	// indexAt is the place in the index behind ahead, current the record of the
	// byte at offset, and ahead those of the bytes that are being cut.
	indexAt int64
	current record
	ahead   []record
	// lost bytes stand before the byte at offset.
	lost int64
	// since is when a part of a line began to wait.
	since time.Time
}

type record struct {
	offset int64
	at     time.Time
	lost   int64
}

// ParseCursor reads a cursor; "" is the start.
func ParseCursor(cursor string) (int64, error) {
	if cursor == "" {
		return 0, nil
	}
	offset, err := strconv.ParseInt(cursor, 10, 64)
	if err != nil || offset < 0 {
		return 0, fmt.Errorf("%.40q is no cursor of this flavor", cursor)
	}
	return offset, nil
}

// Cursor writes an offset as a cursor.
func Cursor(offset int64) string { return strconv.FormatInt(offset, 10) }

// Open reads the stream ("stdout" or "stderr") behind offset. The files need
// not be there yet.
func Open(j jobdir.Job, stream string, offset int64) *Reader {
	return &Reader{job: j, stream: stream, offset: offset}
}

// Offset is the place behind what was delivered.
func (r *Reader) Offset() int64 { return r.offset }

// Close closes the files.
func (r *Reader) Close() {
	if r.log != nil {
		r.log.Close()
	}
	if r.times != nil {
		r.times.Close()
	}
}

// Read delivers what is there. over = nothing will be added any more: then
// also the last line is delivered, whole or not. It returns how long a part of
// a line may still wait; 0 = nothing waits.
func (r *Reader) Read(over bool, emit func(Entry) error) (wait time.Duration, err error) {
	if err := r.open(); err != nil || r.log == nil {
		return 0, err
	}
	for {
		n, err := r.log.ReadAt(r.buf, r.offset)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, fmt.Errorf("reading the log: %w", err)
		}
		atEnd := n < len(r.buf)
		used, err := r.deliver(r.buf[:n], atEnd, over, emit)
		if err != nil {
			return 0, err
		}
		if !atEnd {
			continue
		}
		if over {
			return 0, r.lastGap(emit)
		}
		if rest := n - used; rest > 0 {
			return max(Patience-time.Since(r.since), time.Millisecond), nil
		}
		r.since = time.Time{}
		return 0, nil
	}
}

func (r *Reader) open() error {
	var err error
	if r.log == nil {
		if r.log, err = os.Open(r.job.Stream(r.stream)); err != nil {
			r.log = nil
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
	}
	if r.times == nil {
		// Without the index the times are those of reading.
		if r.times, err = os.Open(r.job.Times(r.stream)); err != nil {
			r.times = nil
		}
	}
	if r.buf == nil {
		r.buf = make([]byte, readAhead)
	}
	return nil
}

// deliver cuts data into entries and returns how much it used. atEnd: the file
// holds nothing more just now.
func (r *Reader) deliver(data []byte, atEnd, over bool, emit func(Entry) error) (used int, err error) {
	for used < len(data) {
		piece := data[used:min(used+Chunk, len(data))]
		at, same, gap := r.timesOf(r.offset, int64(len(piece)))
		end, partial := cut(piece[:gap], int(same)), false
		switch {
		case end > 0:
		case gap < int64(len(piece)):
			end, partial = int(gap), true // bytes are lost in the middle of this line
		case len(piece) == Chunk:
			end, partial = Chunk, true
		case !atEnd:
			return used, nil // the rest of the line is in the file: read on from here
		case over:
			end = len(piece)
		case !r.waitedLongEnough():
			return used, nil
		default:
			end, partial = len(piece), true
		}
		if err := r.emit(emit, at, piece[:end], partial); err != nil {
			return used, err
		}
		used += end
	}
	return used, nil
}

func (r *Reader) emit(emit func(Entry) error, at time.Time, piece []byte, partial bool) error {
	r.offset += int64(len(piece))
	r.since = time.Time{}
	e := Entry{Time: at, Data: piece, End: r.offset, Partial: partial, Lost: r.lost}
	r.lost = 0
	return emit(e)
}

// cut returns the end of the entry that begins at piece: whole lines that
// begin within its first bytes (same), which share a time. A line has the time
// of its first byte. 0 = no line ends here.
func cut(piece []byte, same int) int {
	if i := bytes.LastIndexByte(piece[:min(same, len(piece))], '\n'); i >= 0 {
		return i + 1
	}
	return bytes.IndexByte(piece, '\n') + 1
}

func (r *Reader) waitedLongEnough() bool {
	if r.since.IsZero() {
		r.since = time.Now()
	}
	return time.Since(r.since) >= Patience
}

// timesOf is the time of the byte at offset, how many of the next n bytes
// share it, and how many there are up to the next loss. Bytes lost just before
// offset are added to r.lost.
func (r *Reader) timesOf(offset, n int64) (at time.Time, same, gap int64) {
	for len(r.ahead) == 0 || r.ahead[len(r.ahead)-1].offset < offset+n {
		rec, ok := r.readRecord()
		if !ok {
			break
		}
		r.ahead = append(r.ahead, rec)
	}
	for len(r.ahead) > 0 && r.ahead[0].offset <= offset {
		r.current, r.ahead = r.ahead[0], r.ahead[1:]
		if r.current.offset == offset {
			r.lost += r.current.lost
		}
	}
	at, same, gap = r.current.at, n, n
	if at.IsZero() {
		at = time.Now()
	}
	for i, rec := range r.ahead {
		if rec.offset >= offset+n {
			break
		}
		if i == 0 {
			same = rec.offset - offset
		}
		if rec.lost > 0 {
			gap = rec.offset - offset
			break
		}
	}
	return at, min(same, gap), gap
}

// readRecord reads the next record of the index. Times are written before the
// bytes that they are about, so a missing record means: nothing newer.
func (r *Reader) readRecord() (record, bool) {
	if r.times == nil {
		return record{}, false
	}
	var raw [recordSize]byte
	if _, err := r.times.ReadAt(raw[:], r.indexAt); err != nil {
		return record{}, false
	}
	r.indexAt += recordSize
	return record{
		offset: int64(binary.LittleEndian.Uint64(raw[0:])),
		at:     time.Unix(0, int64(binary.LittleEndian.Uint64(raw[8:]))),
		lost:   int64(binary.LittleEndian.Uint64(raw[16:])),
	}, true
}

// lastGap delivers bytes lost at the very end, behind the last byte.
func (r *Reader) lastGap(emit func(Entry) error) error {
	at, _, _ := r.timesOf(r.offset, 1)
	if r.lost == 0 {
		return nil
	}
	return r.emit(emit, at, nil, false)
}
