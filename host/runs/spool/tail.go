package spool

import (
	"bytes"
	"errors"
)

// seekTail finds the place from which n lines are left, going back from the
// end; compressed segments are counted by their index.
func (r *Reader) seekTail(n int) error {
	for i := len(r.links) - 1; i >= 0; i-- {
		have, err := r.count(&r.links[i])
		if err != nil {
			return err
		}
		if have >= n {
			r.at, r.skip = i, have-n
			r.links[i].gap = nil
			return nil
		}
		n -= have
	}
	return nil
}

// count counts the lines of a segment that Since lets through.
func (r *Reader) count(k *link) (int, error) {
	s, err := openScanner(r.dir, k.Seq, k.end, r.bufs)
	if err != nil {
		return 0, err
	}
	defer s.close()
	total := 0
	if s.ix != nil && r.since == noTime {
		for _, b := range s.ix.Blocks {
			total += b.Lines
		}
		return total, nil
	}
	for {
		f, err := s.next()
		if errors.Is(err, errEnd) || errors.Is(err, errDamaged) {
			return total, nil
		}
		if err != nil {
			return 0, err
		}
		if r.since == noTime || f.nanos >= r.since {
			total += lines(f)
		}
	}
}

// cutLines cuts the first n lines.
func cutLines(b []byte, n int) []byte {
	for ; n > 0; n-- {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			return nil
		}
		b = b[i+1:]
	}
	return b
}
