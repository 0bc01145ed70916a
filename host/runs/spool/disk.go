package spool

import (
	"fmt"
	"time"

	"github.com/stephost/stephost/internal/disk"
)

// Limits of watching the disk.
const (
	// floorShare and floorMost make the default of Options.MinFree: a small
	// disk is not given up for a large disk's rule.
	floorMost  = 256 << 20
	floorShare = 50 // 2 %
	// askEvery is how many bytes are written between two looks at the disk.
	askEvery = 8 << 20
)

// lowDiskError says that writing would leave too little free.
type lowDiskError struct{ free, floor int64 }

func (e *lowDiskError) Error() string {
	return fmt.Sprintf("disk almost full (%d MiB free, %d MiB are kept free)", e.free>>20, e.floor>>20)
}

// diskState is what a writer knows of its disk, and what it could not write.
type diskState struct {
	// reason is the trouble, empty when there is none; retryAt when it is
	// worth a try again.
	reason  string
	retryAt time.Time
	// sinceAsked counts bytes; negative: not asked yet.
	asked      bool
	sinceAsked int64

	debts  []*debt
	finish bool
}

// debt is what the log owes one source (st nil: the log itself).
type debt struct {
	st     *sourceState
	reason string
	bytes  int64
	cursor string
	lost   bool // bytes, or marks, are missing
	end    bool
}

func (d *diskState) owes() bool { return len(d.debts) > 0 || d.finish }

// room asks the disk now and then whether n more bytes leave enough.
func (d *diskState) room(dir string, floor int64, n int) error {
	if floor < 0 {
		return nil
	}
	d.sinceAsked += int64(n)
	if d.asked && d.sinceAsked < askEvery && d.reason == "" {
		return nil
	}
	free, total, ok := disk.Free(dir)
	if !ok {
		return nil
	}
	d.asked, d.sinceAsked = true, 0
	if floor == 0 {
		floor = min(floorMost, total/floorShare)
	}
	if free-int64(n) < floor {
		return &lowDiskError{free: free, floor: floor}
	}
	return nil
}

// result remembers how a write went.
func (d *diskState) result(err error, now time.Time) {
	if err == nil {
		d.reason = ""
		return
	}
	d.reason, d.retryAt = reasonOf(err), now.Add(retryAfter)
}

// owe notes something that could not be written.
func (d *diskState) owe(it item) {
	if it.kind == KindFinish {
		d.finish = true
		return
	}
	b := d.debt(it.st)
	if b.reason == "" {
		b.reason = d.reason
	}
	switch it.kind {
	case KindEnd:
		b.end = true
	case KindGap:
		b.lost = true
		b.bytes += it.g.Bytes
	default: // of notes and epochs, that they are missing is enough
		b.lost = true
		b.bytes += it.bytes
	}
	if it.cursor != "" {
		b.cursor = it.cursor
	}
}

func (d *diskState) debt(st *sourceState) *debt {
	for _, b := range d.debts {
		if b.st == st {
			return b
		}
	}
	b := &debt{st: st}
	d.debts = append(d.debts, b)
	return b
}

// paid takes a written frame that settles a debt off; see Writer.settle.
func (d *diskState) paid(it item) {
	if it.kind == KindFinish {
		d.finish = false
		return
	}
	for i, b := range d.debts {
		if b.st != it.st {
			continue
		}
		switch it.kind {
		case KindGap:
			b.lost, b.bytes, b.reason = false, 0, ""
		case KindEnd:
			b.end = false
		}
		if !b.lost && !b.end {
			d.debts = append(d.debts[:i:i], d.debts[i+1:]...)
		}
		return
	}
}

// settle puts the marks that are owed before everything else.
func (w *Writer) settle(p *pending) {
	for _, b := range w.disk.debts {
		if b.st != nil {
			w.define(p, b.st)
		}
		if b.lost {
			p.gap(b.st, Gap{Certainty: Proven, Reason: b.reason, Bytes: b.bytes}, b.cursor)
		}
		if b.end {
			p.end(b.st)
		}
	}
	if w.disk.finish {
		p.finish()
	}
	for i := range p.items {
		p.items[i].settles = true
	}
}
