package podlog

import "time"

// Slack of times.
const (
	// slack is how far lines may stand out of the order of their times: standard
	// output and standard error are stamped by two readers. Milliseconds were
	// seen; a node under load may take longer.
	slack = time.Second
	// maxHeld bounds what is held while a seam looks for its line.
	maxHeld = 64 << 20
)

// seam passes pieces on, and drops at the beginning of a read what was
// delivered before.
type seam struct {
	cursor cursor
	// seeking: the line of the cursor has not been seen yet in this read.
	seeking bool
	number  int // lines with the cursor's time that were seen in this read
	held    []heldLine
	heldLen int
	deliver func(Entry) error
	gap     func(Gap) error
}

// heldLine is a line that may have been delivered before.
type heldLine struct {
	time     time.Time
	data     []byte
	complete bool
}

// begin starts a read: with a cursor it looks for its line first.
func (s *seam) begin(resumed bool) {
	s.seeking, s.number, s.held, s.heldLen = resumed, 0, nil, 0
}

// take takes one piece.
func (s *seam) take(p piece) error {
	if !s.seeking {
		return s.pass(p)
	}
	if p.orphan {
		return nil // its line began before the cursor's: it was delivered
	}
	if p.first {
		if err := s.judge(); err != nil {
			return err
		}
		if !s.seeking {
			return s.pass(p)
		}
		s.held = append(s.held, heldLine{time: p.time})
	}
	if len(s.held) == 0 {
		return nil
	}
	h := &s.held[len(s.held)-1]
	h.data, h.complete = append(h.data, p.data...), p.last
	s.heldLen += len(p.data)
	if s.heldLen > maxHeld {
		return s.lost()
	}
	if p.last {
		return s.judge()
	}
	return nil
}

// judge looks at the last line that is held.
func (s *seam) judge() error {
	if len(s.held) == 0 {
		return nil
	}
	h := &s.held[len(s.held)-1]
	at := s.cursor.at()
	switch {
	case h.time.After(at.Add(slack)):
		return s.lost()
	case h.time.Before(at.Add(-slack)):
		// So much older than the cursor: it was delivered.
		s.heldLen -= len(h.data)
		s.held = s.held[:len(s.held)-1]
		return nil
	}
	return s.match(h)
}

// match ends the search when h is the line of the cursor.
func (s *seam) match(h *heldLine) error {
	if h.time.UnixNano() != s.cursor.time || s.number >= s.cursor.number {
		return nil
	}
	if h.complete {
		s.number++
	}
	if h.complete && s.number < s.cursor.number || !s.cursor.matches(h.data, h.complete) {
		return nil
	}
	rest := h.data[s.cursor.length:]
	p := piece{time: h.time, data: rest, last: h.complete}
	s.begin(false)
	if len(rest) == 0 {
		return nil
	}
	return s.pass(p)
}

// settle ends the search at the end of a read, or when nothing comes any more.
func (s *seam) settle() error {
	if !s.seeking {
		return nil
	}
	if n := len(s.held); n > 0 && !s.held[n-1].complete {
		h := &s.held[n-1]
		if h.time.UnixNano() == s.cursor.time && s.number+1 == s.cursor.number && s.cursor.open && s.cursor.matches(h.data, false) {
			rest := h.data[s.cursor.length:]
			p := piece{time: h.time, data: rest}
			s.begin(false)
			if len(rest) == 0 {
				return nil
			}
			return s.pass(p)
		}
	}
	return s.lost()
}

// lost gives up: the line of the cursor is not there any more, so everything
// that is held is new, and something may be missing before it.
func (s *seam) lost() error {
	held := s.held
	s.begin(false)
	if err := s.gap(Gap{Reason: "the last line before a break is not in the log any more: the kubelet keeps only the newest file of a rotated log"}); err != nil {
		return err
	}
	for _, h := range held {
		if err := s.pass(piece{time: h.time, first: true, last: h.complete, data: h.data}); err != nil {
			return err
		}
	}
	return nil
}

// pass delivers a piece.
func (s *seam) pass(p piece) error {
	if p.orphan && p.first {
		// Without a time of its own it takes the place of the cursor's line.
		p.time = s.cursor.at()
	}
	s.cursor.advance(p)
	return s.deliver(Entry{Time: p.time, Data: p.data, Cursor: s.cursor.String(), Partial: !p.last})
}
