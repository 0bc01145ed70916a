package lines

import (
	"bytes"
	"fmt"
	"io"
)

const (
	// Length of a line with its end.
	Length = 200
	digits = 10
)

// Line is a line that can be numbered again and again.
type Line [Length]byte

// New makes a line.
func New() *Line {
	l := &Line{}
	for i := range l {
		l[i] = byte('a' + i%26)
	}
	l[digits] = ' '
	l[Length-1] = '\n'
	return l
}

// Numbered is the line with number n; the bytes are valid until the next call.
func (l *Line) Numbered(n int) []byte {
	for i := digits - 1; i >= 0; i-- {
		l[i] = byte('0' + n%10)
		n /= 10
	}
	return l[:]
}

// Check reads lines 0, 1, 2, ... until the end and returns how many came. It
// calls first, which may be nil, when the first byte has come. An error names
// the first line that is not what it should be.
func Check(r io.Reader, first func()) (int, error) {
	const many = 4096
	buffer := make([]byte, many*Length)
	want := New()
	n, have := 0, 0
	for {
		got, err := r.Read(buffer[have:])
		if got > 0 && first != nil {
			first()
			first = nil
		}
		have += got
		at := 0
		for ; have-at >= Length; at += Length {
			if !bytes.Equal(buffer[at:at+Length], want.Numbered(n)) {
				return n, fmt.Errorf("line %d is %q", n, buffer[at:at+Length])
			}
			n++
		}
		have = copy(buffer, buffer[at:have])
		if err == io.EOF {
			if have > 0 {
				return n, fmt.Errorf("%d bytes are left behind line %d", have, n)
			}
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
