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
// that time must come by. maxTimes bounds what is remembered for that.
const (
	maxTimes = 1 << 20
	// seamTime is how long before the first line of a new file a line may stand
	// for the second kind of loss to be possible: a quiet log loses nothing.
	seamTime = 20 * time.Millisecond
)

type rotation struct {
	delivered int64 // bytes of this reader
	lookedAt  int64 // delivered at the last look
	times     []int64
	before    int64 // the last time before times
	full      bool
	start     int64 // first line of the file that is known; 0 = none
	pending   []int64
}

// restart forgets the files: a gap was marked, and the next one begins.
func (r *rotation) restart() {
	*r = rotation{delivered: r.delivered, lookedAt: r.lookedAt}
}

// due tells whether the file should be looked at.
func (r *rotation) due() bool { return r.delivered-r.lookedAt >= probeBytes || len(r.pending) > 0 }

// passed takes a delivered piece.
func (r *rotation) passed(p piece, gap func(Gap) error) error {
	r.delivered += int64(len(p.data))
	if !p.first || p.orphan {
		return nil
	}
	t := p.time.UnixNano()
	if r.start == 0 && r.before == 0 && len(r.times) == 0 {
		// The first line ever: of the first file, if reading began at the start.
		r.before = t
	}
	previous := r.last()
	if len(r.times) < maxTimes {
		r.times = append(r.times, t)
	} else {
		r.full = true
	}
	if len(r.pending) == 0 {
		return nil
	}
	if i := slices.Index(r.pending, t); i >= 0 {
		r.pending = slices.Delete(r.pending, i, i+1)
		return r.joined(previous, t, gap)
	}
	for i, start := range r.pending {
		if t > start+int64(slack) {
			r.pending = slices.Delete(r.pending, i, i+1)
			return gap(Gap{Proven: true, Reason: fmt.Sprintf("the log was rotated faster than it could be read: the file that begins at %s was skipped", stamp(start))})
		}
	}
	return nil
}

// looked takes the time of the newest file's first line.
func (r *rotation) looked(first time.Time, gap func(Gap) error) error {
	t := first.UnixNano()
	times, before, full := r.times, r.before, r.full
	r.before, r.times, r.full, r.lookedAt = r.last(), r.times[:0:0], false, r.delivered
	known := r.start
	r.start = t
	if t == known || slices.Contains(r.pending, t) {
		return nil
	}
	if known == 0 && (len(times) == 0 || t <= before || t <= times[0]) {
		return nil // the file that was being read all the time
	}
	if i := slices.Index(times, t); i >= 0 {
		if i > 0 {
			before = times[i-1]
		}
		return r.joined(before, t, gap)
	}
	if full {
		return gap(Gap{Reason: "the log was rotated while it was read at full speed"})
	}
	r.pending = append(r.pending, t)
	return nil
}

// joined is called where the stream went from one file to the next one.
func (r *rotation) joined(previous, t int64, gap func(Gap) error) error {
	if previous == 0 || t-previous > int64(seamTime) {
		return nil
	}
	return gap(Gap{Reason: fmt.Sprintf("the log was rotated at %s while it was written: lines of that moment may be missing", stamp(t))})
}

func (r *rotation) last() int64 {
	if n := len(r.times); n > 0 {
		return r.times[n-1]
	}
	return r.before
}

func stamp(t int64) string { return time.Unix(0, t).UTC().Format(time.RFC3339Nano) }
