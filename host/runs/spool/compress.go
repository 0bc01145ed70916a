package spool

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// A compressed segment is a series of zstd frames, one per block of whole
// frames of the log, and a skippable frame with the index at its end: `zstd -d`
// gives the segment back.
const (
	// blockSize is how much is compressed at a time: the step of the index.
	blockSize      = 1 << 20
	skippableMagic = 0x184D2A5B
	indexMagic     = 0x31787073 // "spx1"
	// maxIndex bounds what is allocated for a damaged one.
	maxIndex = 64 << 20
)

// index describes a compressed segment.
type index struct {
	Header *header `json:"header"`
	// Length is the segment's before compression; Packed the end of the last
	// block in the file.
	Length int64        `json:"length"`
	Packed int64        `json:"packed"`
	Blocks []blockIndex `json:"blocks"`
	// Sources are those that first appear in this segment: a reader that skips
	// blocks needs them.
	Sources []*sourceState `json:"sources,omitempty"`
}

// blockIndex describes one block: its offset before and after compression, the
// times of its records, and its lines.
type blockIndex struct {
	Raw    int64 `json:"raw"`
	Packed int64 `json:"packed"`
	Min    int64 `json:"min"`
	Max    int64 `json:"max"`
	Lines  int   `json:"lines"`
}

// compressSegment replaces a segment, of which end bytes count, by its
// compressed form. The old file goes last, so there always is a whole one;
// several processes may do it at once.
func compressSegment(ctx context.Context, dir string, h *header, end int64) (saved int64, err error) {
	raw, err := os.Open(segmentPath(dir, h.Seq))
	if errors.Is(err, fs.ErrNotExist) { // another process was faster, or dropped it
		if info, err := os.Stat(zstdPath(dir, h.Seq)); err == nil {
			return end - info.Size(), nil
		}
		return end, nil
	}
	if err != nil {
		return 0, fmt.Errorf("compress the log: %w", err)
	}
	defer func() { _ = raw.Close() }()
	out, err := os.CreateTemp(dir, tempPattern)
	if err != nil {
		return 0, fmt.Errorf("compress the log: %w", err)
	}
	defer func() {
		if err != nil {
			_ = out.Close()
			_ = os.Remove(out.Name())
		}
	}()
	size, err := compressTo(ctx, out, raw, h, end)
	if err != nil {
		return 0, fmt.Errorf("compress the log: %w", err)
	}
	// The original is removed next: the copy must outlive a power cut.
	if err = errors.Join(out.Sync(), out.Close()); err != nil {
		return 0, fmt.Errorf("compress the log: %w", err)
	}
	if err = os.Rename(out.Name(), zstdPath(dir, h.Seq)); err != nil {
		return 0, fmt.Errorf("compress the log: %w", err)
	}
	if gone := readDropped(dir); gone != nil && gone.From <= h.Seq && h.Seq <= gone.To {
		_ = os.Remove(zstdPath(dir, h.Seq)) // dropped meanwhile: it must not come back
	}
	_ = raw.Close() // or it cannot be removed on some systems
	if err := os.Remove(segmentPath(dir, h.Seq)); err != nil {
		return 0, nil // two copies: the compressed one counts
	}
	return end - size, nil
}

func compressTo(ctx context.Context, out io.Writer, raw *os.File, h *header, end int64) (size int64, err error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(blockSize), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return 0, err
	}
	defer func() { _ = enc.Close() }()
	ix := &index{Header: h, Length: end}
	s := &scanner{file: raw, end: end, bufs: &Buffers{}}
	var block, packed []byte
	b := blockIndex{Min: noTime, Max: noTime}
	flush := func() error {
		if len(block) == 0 {
			return nil
		}
		packed = enc.EncodeAll(block, packed[:0])
		if _, err := out.Write(packed); err != nil {
			return err
		}
		ix.Blocks = append(ix.Blocks, b)
		size += int64(len(packed))
		b = blockIndex{Raw: b.Raw + int64(len(block)), Packed: size, Min: noTime, Max: noTime}
		block = block[:0]
		return ctx.Err()
	}
	for {
		f, err := s.next()
		if errors.Is(err, errEnd) {
			break
		}
		if err != nil {
			return 0, err
		}
		block = appendFrame(block, f.kind, f.flags, f.nanos, f.source, string(f.cursor), f.body)
		if f.nanos != noTime {
			if b.Min == noTime || f.nanos < b.Min {
				b.Min = f.nanos
			}
			b.Max = max(b.Max, f.nanos)
		}
		b.Lines += lines(f)
		if f.kind == frameSource {
			if st, err := parseSource(f); err == nil {
				ix.Sources = append(ix.Sources, st)
			}
		}
		if len(block) >= blockSize {
			if err := flush(); err != nil {
				return 0, err
			}
		}
	}
	if err := flush(); err != nil {
		return 0, err
	}
	ix.Packed = size
	trailer, err := encodeIndex(ix)
	if err != nil {
		return 0, err
	}
	_, err = out.Write(trailer)
	return size + int64(len(trailer)), err
}

// lines counts the lines that end in an entry.
func lines(f frame) int {
	if f.kind != KindEntry {
		return 0
	}
	n := bytes.Count(f.body, []byte{'\n'})
	if len(f.body) > 0 && f.body[len(f.body)-1] != '\n' && f.flags&flagPartial == 0 {
		n++
	}
	return n
}

// encodeIndex makes the skippable frame: magic, size, JSON, size of the JSON,
// magic; the last two let a reader find it from the file's end.
func encodeIndex(ix *index) ([]byte, error) {
	body, err := json.Marshal(ix)
	if err != nil {
		return nil, err
	}
	b := binary.LittleEndian.AppendUint32(nil, skippableMagic)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(body)+8))
	b = append(b, body...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(body)))
	return binary.LittleEndian.AppendUint32(b, indexMagic), nil
}

func readIndex(path string) (*index, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the log: %w", err)
	}
	defer func() { _ = f.Close() }()
	return readIndexFile(f)
}

func readIndexFile(f *os.File) (*index, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("the log: %w", err)
	}
	var foot [8]byte
	if info.Size() < int64(len(foot)) {
		return nil, errNoSegment
	}
	if _, err := f.ReadAt(foot[:], info.Size()-int64(len(foot))); err != nil {
		return nil, fmt.Errorf("the log: %w", err)
	}
	size := int64(binary.LittleEndian.Uint32(foot[:]))
	if binary.LittleEndian.Uint32(foot[4:]) != indexMagic || size > maxIndex || size+16 > info.Size() {
		return nil, errNoSegment
	}
	body := make([]byte, size)
	if _, err := f.ReadAt(body, info.Size()-int64(len(foot))-size); err != nil {
		return nil, fmt.Errorf("the log: %w", err)
	}
	var ix index
	if err := json.Unmarshal(body, &ix); err != nil || ix.Header == nil {
		return nil, errNoSegment
	}
	if ix.Header.Version != formatVersion {
		return nil, &VersionError{Version: ix.Header.Version}
	}
	return &ix, nil
}

// unpacker decompresses blocks.
type unpacker struct {
	dec    *zstd.Decoder
	packed []byte
}

func newUnpacker() (*unpacker, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(2*maxFrame))
	if err != nil {
		return nil, fmt.Errorf("the log: %w", err)
	}
	return &unpacker{dec: dec}, nil
}

func (u *unpacker) close() { u.dec.Close() }

// block decompresses block n into dst.
func (u *unpacker) block(f *os.File, ix *index, n int, dst []byte) ([]byte, error) {
	end := ix.Packed
	if n+1 < len(ix.Blocks) {
		end = ix.Blocks[n+1].Packed
	}
	start := ix.Blocks[n].Packed
	if size := end - start; start < 0 || size <= 0 || size > 2*maxFrame {
		return nil, errors.New("the index is wrong")
	}
	if need := int(end - start); cap(u.packed) < need {
		u.packed = make([]byte, need)
	}
	u.packed = u.packed[:end-start]
	if _, err := f.ReadAt(u.packed, start); err != nil {
		return nil, err
	}
	return u.dec.DecodeAll(u.packed, dst)
}

// staleCopy is the age at which an unfinished copy is a dead process's:
// compressing a segment takes a second.
const staleCopy = 10 * time.Minute

// tidy removes what processes left that died while they compressed. Nothing
// depends on it, so it reports nothing.
func tidy(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), zstdSuffix); ok {
			_ = os.Remove(filepath.Join(dir, name+segmentSuffix))
		}
		if ok, _ := filepath.Match(tempPattern, e.Name()); !ok {
			continue
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > staleCopy {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}

// Compact compresses what is closed and not compressed yet in the log in dir:
// its writer does so by itself, but not when it is killed. It may run beside a
// writer and readers. A log's last segment stays as it is.
func Compact(ctx context.Context, dir string) error {
	tidy(dir)
	l, err := readLayout(dir, map[uint64]*header{})
	if err != nil {
		return err
	}
	for i := 0; i+1 < len(l.links); i++ {
		if k := l.links[i]; !k.zstd && k.end > 0 {
			if _, err := compressSegment(ctx, dir, k.header, k.end); err != nil {
				return err
			}
		}
	}
	return nil
}
