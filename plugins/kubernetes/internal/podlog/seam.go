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
	counter counter
	number  int // of the line that is being read, among those of its time
	held    []heldLine
	heldLen int
	rate    rate
	out     *batch
	// restart is called where the log goes on behind a gap.
	restart func()
}

// heldLine is a line that may have been delivered before.
type heldLine struct {
	time     time.Time
	number   int
	data     []byte
	complete bool
}

// begin starts a read: with a cursor it looks for its line first.
func (s *seam) begin(resumed bool) {
	s.counter = counter{}
	s.seek(resumed)
}

func (s *seam) seek(on bool) { s.seeking, s.held, s.heldLen = on, nil, 0 }

// take takes one piece.
func (s *seam) take(p piece) error {
	s.rate.add(p)
	if p.first && !p.orphan {
		s.number = s.counter.count(p.time.UnixNano())
	}
	if !s.seeking {
		return s.pass(p)
	}
	if p.orphan {
		return nil // its line began before the cursor's: it was delivered
	}
	if p.first {
		s.held = append(s.held, heldLine{time: p.time, number: s.number})
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

// judge looks at the last line that is held, once it is complete.
func (s *seam) judge() error {
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
	if h.time.UnixNano() != s.cursor.time || h.number != s.cursor.number || !s.cursor.matches(h.data, h.complete) {
		return nil
	}
	return s.found(h)
}

// found ends the search: what follows is new, also in the line itself.
func (s *seam) found(h *heldLine) error {
	p := piece{time: h.time, data: h.data[s.cursor.length:], last: h.complete}
	s.seek(false)
	if len(p.data) == 0 {
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
		if err := s.match(&s.held[n-1]); err != nil || !s.seeking {
			return err
		}
	}
	return s.lost()
}

// lost gives up: the line of the cursor is not there any more, so everything
// that is held is new, and something may be missing before it.
func (s *seam) lost() error {
	held := s.held
	s.seek(false)
	s.restart()
	if err := s.out.mark(Gap{Reason: "the last line before a break is not in the log any more: the kubelet keeps only the newest file of a rotated log"}); err != nil {
		return err
	}
	for _, h := range held {
		s.number = h.number
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
	if err := s.out.passed(p); err != nil {
		return err
	}
	if !s.out.takes(p) {
		if err := s.out.flush(); err != nil {
			return err
		}
	}
	s.cursor.advance(p, s.number)
	return s.out.add(p, &s.cursor)
}

// rate counts the bytes of the last one to two seconds of a log, by its own
// times.
type rate struct {
	begun     int64 // of the present second
	now, last int64 // bytes of it, and of the one before
}

func (r *rate) add(p piece) {
	t := p.time.UnixNano()
	switch passed := t - r.begun; {
	case passed >= 2*int64(time.Second):
		r.begun, r.now, r.last = t, 0, 0
	case passed >= int64(time.Second):
		r.begun, r.now, r.last = t, 0, r.now
	}
	r.now += int64(len(p.data))
}
