package spool

import "sync"

// Buffers lends memory for the time of one write or read, so that a log that is
// idle holds none; the garbage collector empties it. The zero value is ready;
// it is safe for concurrent use.
type Buffers struct{ pool sync.Pool }

// get is an empty buffer with room for size bytes.
func (p *Buffers) get(size int) []byte {
	if b, ok := p.pool.Get().(*[]byte); ok {
		if cap(*b) >= size {
			return (*b)[:0]
		}
		p.pool.Put(b)
	}
	const least = 4 << 10
	return make([]byte, 0, max(size, least))
}

func (p *Buffers) put(b []byte) {
	const most = 8 << 20 // what a huge header needed is not kept
	if cap(b) <= most {
		b = b[:0]
		p.pool.Put(&b)
	}
}
