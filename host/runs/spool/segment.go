package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// Names of files: 00000001.seg while it is written, 00000001.seg.zst once it is
// compressed, dropped.json beside them when segments were dropped.
const (
	segmentSuffix = ".seg"
	zstdSuffix    = ".seg.zst"
	droppedName   = "dropped.json"
	tempPattern   = ".tmp-*"
)

func segmentPath(dir string, seq uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%08d%s", seq, segmentSuffix))
}

func zstdPath(dir string, seq uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%08d%s", seq, zstdSuffix))
}

// link is one segment of the log, in its place.
type link struct {
	*header
	zstd bool
	// end is how many bytes (before compression) count; -1 for the last
	// segment, which may still grow.
	end int64
	// gap is set when segments before this one are missing.
	gap *Gap
}

// layout is what lies in a log's directory.
type layout struct {
	// links are the segments that make up the log, in order. Segments of
	// replaced writers are not among them.
	links []link
	// highest is the greatest number that any file has.
	highest uint64
	// missing: there is no directory.
	missing bool
}

func (l *layout) tip() *link {
	if len(l.links) == 0 {
		return nil
	}
	return &l.links[len(l.links)-1]
}

// last is the number of the last segment; 0 when there is none.
func (l *layout) last() uint64 {
	if tip := l.tip(); tip != nil {
		return tip.Seq
	}
	return 0
}

// readLayout finds the segments in dir. Headers do not change, so known ones
// are taken from the cache. A missing directory is an empty log.
func readLayout(dir string, cache map[uint64]*header) (*layout, error) {
	const tries = 5 // a segment may be compressed or dropped between listing and opening
	var err error
	for range tries {
		var l *layout
		if l, err = tryLayout(dir, cache); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return l, err
		}
	}
	return nil, err
}

func tryLayout(dir string, cache map[uint64]*header) (*layout, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return &layout{missing: true}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the log: %w", err)
	}
	l := &layout{}
	zstd := map[uint64]bool{}
	found := map[uint64]bool{}
	hasDropped := false
	for _, e := range entries {
		hasDropped = hasDropped || e.Name() == droppedName
		seq, isZstd := segmentNumber(e.Name())
		if seq == 0 {
			continue
		}
		found[seq] = true
		zstd[seq] = zstd[seq] || isZstd
		l.highest = max(l.highest, seq)
	}
	headers := make(map[uint64]*header, len(found))
	var tip *header
	for seq := range found {
		h := cache[seq]
		if h == nil {
			h, err = readHeader(dir, seq, zstd[seq])
			if errors.Is(err, errNoSegment) {
				continue // its maker died, or has not finished
			}
			if err != nil {
				return nil, err
			}
			cache[seq] = h
		}
		headers[seq] = h
		if tip == nil || h.Fence > tip.Fence || h.Fence == tip.Fence && h.Seq > tip.Seq {
			tip = h
		}
	}
	if tip == nil {
		return l, nil
	}
	var gone *dropped
	if hasDropped {
		gone = readDropped(dir)
	}
	l.links = chain(tip, headers, zstd, gone)
	return l, l.close(dir)
}

// close sets the ends of segments whose successors, which said them, are missing:
// as far as the file goes. Only the last one may grow.
func (l *layout) close(dir string) error {
	for i := range l.links {
		k := &l.links[i]
		if k.end >= 0 || i+1 == len(l.links) {
			continue
		}
		if k.zstd {
			ix, err := readIndex(zstdPath(dir, k.Seq))
			if err != nil {
				return err
			}
			k.end = ix.Length
			continue
		}
		info, err := os.Stat(segmentPath(dir, k.Seq))
		if err != nil {
			return fmt.Errorf("the log: %w", err)
		}
		k.end = info.Size()
	}
	return nil
}

// segmentNumber is the number in the name of a segment's file; 0 when it is none.
func segmentNumber(file string) (seq uint64, isZstd bool) {
	name, isZstd := strings.CutSuffix(file, zstdSuffix)
	if !isZstd {
		var ok bool
		if name, ok = strings.CutSuffix(file, segmentSuffix); !ok {
			return 0, false
		}
	}
	seq, err := strconv.ParseUint(name, 10, 63)
	if err != nil {
		return 0, false
	}
	return seq, isZstd
}

// Fence is the greatest fence under which the log in dir was written; 0 when
// nothing was.
func Fence(dir string) (int64, error) {
	l, err := readLayout(dir, map[uint64]*header{})
	if err != nil || l.tip() == nil {
		return 0, err
	}
	return l.tip().Fence, nil
}

// chain follows the segments back from the tip, and puts a gap where some are
// missing.
func chain(tip *header, headers map[uint64]*header, zstd map[uint64]bool, gone *dropped) []link {
	var links []link
	end := int64(-1)
	for h := tip; ; {
		links = append(links, link{header: h, zstd: zstd[h.Seq], end: end})
		if h.Prev == 0 || h.Prev >= h.Seq { // the second: damaged, would not end
			break
		}
		prev := headers[h.Prev]
		end = h.PrevLen
		if prev == nil {
			here := &links[len(links)-1]
			if gone != nil && gone.From <= h.Prev && h.Prev <= gone.To {
				here.gap = &Gap{Certainty: Proven, Reason: reasonLimit, Bytes: gone.Bytes}
				prev, end = headers[gone.Head], gone.HeadLen
			} else {
				here.gap = &Gap{Certainty: Possible, Reason: fmt.Sprintf("segment %d of the log is missing", h.Prev)}
				prev, end = before(headers, h.Prev), -1
			}
			if prev == nil {
				break
			}
		}
		h = prev
	}
	for i, j := 0, len(links)-1; i < j; i, j = i+1, j-1 {
		links[i], links[j] = links[j], links[i]
	}
	return links
}

// before is the segment with the greatest number below seq.
func before(headers map[uint64]*header, seq uint64) *header {
	var seqs []uint64
	for s := range headers {
		if s < seq {
			seqs = append(seqs, s)
		}
	}
	if len(seqs) == 0 {
		return nil
	}
	sort.Slice(seqs, func(i, j int) bool { return seqs[i] > seqs[j] })
	return headers[seqs[0]]
}

// readHeader reads the header of a segment without reading the segment.
func readHeader(dir string, seq uint64, isZstd bool) (*header, error) {
	if isZstd {
		ix, err := readIndex(zstdPath(dir, seq))
		if err != nil {
			return nil, err
		}
		return ix.Header, nil
	}
	f, err := os.Open(segmentPath(dir, seq))
	if err != nil {
		return nil, fmt.Errorf("the log: %w", err)
	}
	defer func() { _ = f.Close() }()
	const usual = 4 << 10
	buf := make([]byte, usual)
	n, err := f.ReadAt(buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("the log: %w", err)
	}
	parsed, size, status := cutFrame(buf[:n])
	if status == frameShort && size > usual {
		if info, err := f.Stat(); err != nil || info.Size() < int64(size) {
			return nil, errNoSegment
		}
		buf = make([]byte, size)
		if _, err := f.ReadAt(buf, 0); err != nil {
			return nil, fmt.Errorf("the log: %w", err)
		}
		parsed, _, status = cutFrame(buf)
	}
	if status != frameWhole {
		return nil, errNoSegment
	}
	return parseHeader(parsed)
}

// Size is the number of bytes that the log in dir takes on disk; 0 when there
// is none.
func Size(dir string) (int64, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("the log: %w", err)
	}
	var total int64
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // compressed or dropped just now
		}
		if err != nil {
			return 0, fmt.Errorf("the log: %w", err)
		}
		total += info.Size()
	}
	return total, nil
}

// Remove removes the log in dir. A reader that is in it gets ErrRemoved.
func Remove(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("the log: %w", err)
	}
	return nil
}
