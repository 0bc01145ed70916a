package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// How much of a segment is read at once: at first, and at most.
const (
	firstChunk = 8 << 10
	readChunk  = 256 << 10
)

// errEnd says that there is no further whole frame (yet).
var errEnd = errors.New("end of segment")

// errDamaged says that a frame inside the part of a segment that counts cannot
// be read.
var errDamaged = errors.New("a part of the log is damaged")

// scanner reads the frames of one segment in order.
type scanner struct {
	file *os.File
	// end is the limit in bytes before compression; -1 = as far as frames go.
	end int64
	// off is the offset of the next frame.
	off int64
	// grew: bytes were read of a segment that may still grow.
	grew bool
	// ix is set for compressed segments; block is the next one to decompress.
	ix    *index
	block int
	z     *unpacker

	// buf[pos:] are bytes that were read, from off on.
	buf  []byte
	pos  int
	bufs *Buffers
	// chunk is how much is read next: it grows while there is more to read, so
	// that a reader that gets a line now and then needs little.
	chunk int
}

// openScanner opens a segment, compressed or not, at its first frame.
func openScanner(dir string, seq uint64, end int64, bufs *Buffers) (*scanner, error) {
	s := &scanner{end: end, bufs: bufs}
	const tries = 5 // it may be compressed between the two
	var err error
	for range tries {
		if s.file, err = os.Open(segmentPath(dir, seq)); err == nil {
			return s, nil
		}
		if s.file, err = os.Open(zstdPath(dir, seq)); err == nil {
			if s.ix, err = readIndexFile(s.file); err != nil {
				_ = s.file.Close()
				return nil, err
			}
			s.end = s.ix.Length
			s.z, err = newUnpacker()
			return s, err
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return nil, fmt.Errorf("the log: %w", err)
}

func (s *scanner) close() {
	s.drop()
	if s.file != nil {
		_ = s.file.Close()
	}
	if s.z != nil {
		s.z.close()
	}
}

// next is the next frame; its slices are valid until the next call. errEnd:
// none (a later call may find one, when the segment grows); errDamaged: there
// are bytes that ought to be one.
func (s *scanner) next() (frame, error) {
	for {
		if s.end >= 0 && s.off >= s.end { // also when it became known behind our back
			s.drop()
			return frame{}, errEnd
		}
		f, size, status := cutFrame(s.buf[s.pos:])
		if status == frameWhole {
			s.pos += size
			s.off += int64(size)
			return f, nil
		}
		if status == frameBad {
			return f, s.stuck()
		}
		if err := s.more(size); err != nil {
			if errors.Is(err, errEnd) {
				return f, s.stuck()
			}
			return f, err
		}
	}
}

// stuck tells the end of a segment from damage in it. What was read is
// forgotten: while the segment grows, the next try reads it anew.
func (s *scanner) stuck() error {
	s.drop()
	if s.end >= 0 && s.off < s.end {
		return errDamaged
	}
	return errEnd
}

// more reads on, so that a frame of size bytes (0 = not known) fits.
func (s *scanner) more(size int) error {
	if s.ix != nil {
		return s.moreZstd()
	}
	if s.pos > 0 {
		s.buf, s.pos = s.buf[:copy(s.buf, s.buf[s.pos:])], 0
	}
	s.chunk = max(s.chunk, firstChunk)
	if need := max(size, len(s.buf)+s.chunk); need > cap(s.buf) {
		old := s.buf
		s.buf = append(s.bufs.get(need), old...)
		if old != nil {
			s.bufs.put(old)
		}
	}
	at := s.off + int64(len(s.buf))
	room := s.buf[len(s.buf):cap(s.buf)]
	if s.end >= 0 {
		room = room[:min(int64(len(room)), max(s.end-at, 0))]
	}
	if len(room) == 0 {
		return errEnd
	}
	n, err := s.file.ReadAt(room, at)
	s.buf = s.buf[:len(s.buf)+n]
	if n == len(room) {
		s.chunk = min(2*s.chunk, readChunk)
	}
	switch {
	case n > 0:
		s.grew = s.grew || s.end < 0
		return nil
	case err == nil, errors.Is(err, io.EOF):
		return errEnd
	}
	return fmt.Errorf("the log: %w", err)
}

// moreZstd replaces the buffer by the next block; frames do not cross blocks.
func (s *scanner) moreZstd() error {
	if s.pos < len(s.buf) || s.block >= len(s.ix.Blocks) {
		return errEnd
	}
	if s.buf == nil {
		s.buf = s.bufs.get(blockSize)
	}
	b := s.ix.Blocks[s.block]
	raw, err := s.z.block(s.file, s.ix, s.block, s.buf[:0])
	if err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	s.block++
	s.buf, s.pos, s.off = raw, 0, b.Raw
	return nil
}

// skipBlocks leaves out leading blocks of a compressed segment for which skip
// answers true; never the last, which may hold the end of the log.
func (s *scanner) skipBlocks(skip func(b blockIndex) bool) {
	if s.ix == nil || len(s.buf) > 0 {
		return
	}
	for s.block < len(s.ix.Blocks)-1 && skip(s.ix.Blocks[s.block]) {
		s.block++
	}
	if s.block < len(s.ix.Blocks) {
		s.off = s.ix.Blocks[s.block].Raw
	} else {
		s.off = s.ix.Length
	}
}

// drop gives the buffer back: a reader that waits holds none.
func (s *scanner) drop() {
	if s.buf != nil {
		s.bufs.put(s.buf)
		s.buf, s.pos, s.chunk = nil, 0, 0
	}
}
