package podlog

import (
	"fmt"
	"slices"
	"time"
)

// A kubelet that follows a log reads the old file to its end when it is rotated,
// and goes on with the newest one. What it can lose on the way, and does not
// tell (cri-client logs.go, ReadLogs and waitLogs): a whole file, when the reader
// was so slow that the next rotation came; and the lines that the runtime still
// wrote into the old file after it had made the new one.
//
// rotation sees both from the time of the newest file's first line: a line with
// that time must come by. A file that came and went between two looks is seen by
// neither: so a reader to whom nothing comes looks, too, and where two looks were
// too far apart a hole in the times of the lines is a gap.
const (
	// maxTimes bounds the times that are remembered.
	maxTimes = 1 << 20
	// seamTime is how long before the first line of a new file a line may stand
	// for the second kind of loss to be possible: a quiet log loses nothing.
	seamTime = 20 * time.Millisecond
	// leastLife is the least time from a file's first line to its rotation, by the
	// interval in which a kubelet looks (see probeEvery), less what its looks and
	// clocks differ.
	leastLife = 9 * time.Second
)

type rotation struct {
	delivered int64     // bytes of this reader
	lookedAt  int64     // delivered at the last look
	looks     time.Time // when it was asked for; zero = there was none
	file      int64     // bytes of the file that is known
	times     []int64
	before    int64 // the last time before times
	full      bool
	hole      bool  // a whole file could have stood before a line since the last look
	start     int64 // first line of the file that is known; 0 = none
	pending   []newer
}

// newer is a file whose first line has not come yet.
type newer struct {
	start int64
	apart bool // from the look before: another file could have come and gone
}

// restart forgets the files: a gap was marked, and the next one begins.
func (r *rotation) restart() {
	*r = rotation{delivered: r.delivered, lookedAt: r.lookedAt}
}

// due tells whether the file should be looked at, now.
func (r *rotation) due(now time.Time) bool {
	return r.unseen() || r.file >= probeBytes && now.Sub(r.looks) >= silentLook
}

// unseen tells whether something came that a look must explain.
func (r *rotation) unseen() bool {
	return r.delivered-r.lookedAt >= probeBytes || len(r.pending) > 0 || r.hole
}

// passed takes a delivered piece.
func (r *rotation) passed(p piece, gap func(Gap) error) error {
	r.delivered += int64(len(p.data))
	r.file += int64(len(p.data))
	if !p.first || p.orphan {
		return nil
	}
	t := p.time.UnixNano()
	if r.start == 0 && r.before == 0 && len(r.times) == 0 {
		// The first line ever: of the first file, if reading began at the start.
		r.before = t
	}
	previous := r.last()
	r.hole = r.hole || t-previous >= int64(leastLife)
	if len(r.times) < maxTimes {
		r.times = append(r.times, t)
	} else {
		r.full = true
	}
	for i, f := range r.pending {
		switch {
		case t == f.start:
			r.pending = slices.Delete(r.pending, i, i+1)
			return r.joined(previous, t, f.apart, gap)
		case t > f.start+int64(slack):
			r.pending = slices.Delete(r.pending, i, i+1)
			return gap(Gap{Proven: true, Reason: fmt.Sprintf("the log was rotated faster than it could be read: the file that begins at %s was skipped", stamp(f.start))})
		}
	}
	return nil
}

// looked takes the time of the newest file's first line, as it was between asked
// and answered.
func (r *rotation) looked(asked, answered, first time.Time, gap func(Gap) error) error {
	t := first.UnixNano()
	times, before, full := r.times, r.before, r.full
	apart := r.looks.IsZero() || answered.Sub(r.looks) >= leastLife
	r.before, r.times, r.full, r.hole = r.last(), r.times[:0:0], false, false
	r.lookedAt, r.looks = r.delivered, asked
	known := r.start
	r.start = t
	if t == known || slices.ContainsFunc(r.pending, func(f newer) bool { return f.start == t }) {
		return nil
	}
	if known == 0 && (len(times) == 0 || t <= before || t <= times[0]) {
		return nil // the file that was being read all the time
	}
	r.file = 0
	if i := slices.Index(times, t); i >= 0 {
		if i > 0 {
			before = times[i-1]
		}
		return r.joined(before, t, apart, gap)
	}
	if full {
		return gap(Gap{Reason: "the log was rotated while it was read at full speed"})
	}
	r.pending = append(r.pending, newer{t, apart})
	return nil
}

// joined is called where the stream went from one file to the next one. apart =
// so long after the look before that a file between them would not have been seen.
func (r *rotation) joined(previous, t int64, apart bool, gap func(Gap) error) error {
	switch hole := time.Duration(t - previous); {
	case previous == 0:
		return nil
	case hole <= seamTime:
		return gap(Gap{Reason: fmt.Sprintf("the log was rotated at %s while it was written: lines of that moment may be missing", stamp(t))})
	case apart && hole >= leastLife:
		return gap(Gap{Reason: fmt.Sprintf("nothing came from %s until the log had been rotated, at %s: what was written in between may be missing", stamp(previous), stamp(t))})
	}
	return nil
}

func (r *rotation) last() int64 {
	if n := len(r.times); n > 0 {
		return r.times[n-1]
	}
	return r.before
}

func stamp(t int64) string { return time.Unix(0, t).UTC().Format(time.RFC3339Nano) }
