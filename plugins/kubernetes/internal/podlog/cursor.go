package podlog

import (
	"fmt"
	"hash/crc32"
	"time"
)

// cursor names a position in the log of one pod: behind the first length bytes
// of a line.
type cursor struct {
	pod string // UID
	// time of the line in nanoseconds, and its number among the lines with that
	// time, from 1.
	time   int64
	number int
	// length and sum are of what was delivered of the line. open: more of it may
	// follow.
	length int64
	sum    uint32
	open   bool
}

// String is what the host stores.
func (c cursor) String() string {
	state := 'c'
	if c.open {
		state = 'o'
	}
	return fmt.Sprintf("1 %s %d %d %d %x %c", c.pod, c.time, c.number, c.length, c.sum, state)
}

// parseCursor reads a cursor; ok = false for "" and for one of another kind.
func parseCursor(s string) (c cursor, ok bool) {
	var version int
	var state rune
	n, err := fmt.Sscanf(s, "%d %s %d %d %d %x %c", &version, &c.pod, &c.time, &c.number, &c.length, &c.sum, &state)
	c.open = state == 'o'
	return c, err == nil && n == 7 && version == 1
}

// advance moves the cursor over a piece; number is that of its line.
func (c *cursor) advance(p piece, number int) {
	if p.first {
		c.time, c.number, c.length, c.sum = p.time.UnixNano(), number, 0, 0
	}
	c.length += int64(len(p.data))
	c.sum = crc32.Update(c.sum, crc32.IEEETable, p.data)
	c.open = !p.last
}

// matches tells whether line is the one that the cursor names: all of it, or
// its beginning where the cursor is open.
func (c *cursor) matches(line []byte, complete bool) bool {
	n := int64(len(line))
	if n < c.length || !c.open && (n != c.length || !complete) {
		return false
	}
	return crc32.ChecksumIEEE(line[:c.length]) == c.sum
}

func (c *cursor) at() time.Time { return time.Unix(0, c.time) }

// counter counts the lines of one read by their time. Lines that share one
// need not follow each other, but stand within the slack; so what is older than
// that twice is forgotten.
type counter struct {
	young, old map[int64]int
	since      int64
}

func (c *counter) count(t int64) int {
	if c.young == nil || t-c.since > int64(2*slack) {
		c.young, c.old, c.since = map[int64]int{}, c.young, t
	}
	c.young[t]++
	return c.young[t] + c.old[t]
}
