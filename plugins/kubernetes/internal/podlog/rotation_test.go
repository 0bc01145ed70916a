package podlog

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lines passes lines at the given milliseconds.
func (r *rotation) lines(t *testing.T, gap func(Gap) error, millis ...int) {
	t.Helper()
	for _, ms := range millis {
		require.NoError(t, r.passed(piece{first: true, last: true, time: at(ms), data: []byte("x\n")}, gap))
	}
}

// look looks so many seconds after the look before, and sees a file that begins at
// the given millisecond.
func (r *rotation) look(t *testing.T, gap func(Gap) error, seconds, millis int) {
	t.Helper()
	now := r.looks.Add(time.Duration(seconds) * time.Second)
	if r.looks.IsZero() {
		now = begin
	}
	require.NoError(t, r.looked(now, now, at(millis), gap))
}

func at(ms int) time.Time { return begin.Add(time.Duration(ms) * time.Millisecond) }

func TestRotation(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(t *testing.T, r *rotation, gap func(Gap) error)
		gaps []bool // proven
	}{
		"the same file": {do: func(t *testing.T, r *rotation, gap func(Gap) error) {
			r.lines(t, gap, 0, 10, 20)
			r.look(t, gap, 1, 0)
			r.lines(t, gap, 30)
			r.look(t, gap, 1, 0)
		}},
		"a file that was begun before this reader": {do: func(t *testing.T, r *rotation, gap func(Gap) error) {
			r.lines(t, gap, 1000, 1010)
			r.look(t, gap, 1, 0)
		}},
		"rotated in a quiet moment": {do: func(t *testing.T, r *rotation, gap func(Gap) error) {
			r.lines(t, gap, 0, 10, 5000, 5010)
			r.look(t, gap, 1, 0)
			r.lines(t, gap, 6000, 9000, 9001)
			r.look(t, gap, 1, 9000)
		}},
		"rotated while it was written": {do: func(t *testing.T, r *rotation, gap func(Gap) error) {
			r.lines(t, gap, 0, 10)
			r.look(t, gap, 1, 0)
			r.lines(t, gap, 20, 21, 22)
			r.look(t, gap, 1, 21)
		}, gaps: []bool{false}},
		"rotated while it was written, seen before it came": {do: func(t *testing.T, r *rotation, gap func(Gap) error) {
			r.lines(t, gap, 0, 10)
			r.look(t, gap, 1, 0)
			r.look(t, gap, 1, 21)
			r.lines(t, gap, 20, 21, 22)
		}, gaps: []bool{false}},
		"a file was skipped": {do: func(t *testing.T, r *rotation, gap func(Gap) error) {
			r.lines(t, gap, 0, 10)
			r.look(t, gap, 1, 0)
			r.look(t, gap, 1, 500)
			r.lines(t, gap, 20, 9000)
		}, gaps: []bool{true}},
		"quiet for long, and rotated then: looks show that no file stood in between": {do: func(t *testing.T, r *rotation, gap func(Gap) error) {
			r.lines(t, gap, 0, 10)
			r.look(t, gap, 1, 0)
			for range 5 {
				r.look(t, gap, 6, 0)
			}
			r.lines(t, gap, 30_000, 30_010)
			r.look(t, gap, 1, 30_000)
		}},
		"a file came and went between two looks": {do: func(t *testing.T, r *rotation, gap func(Gap) error) {
			r.lines(t, gap, 0, 10)
			r.look(t, gap, 1, 0)
			r.lines(t, gap, 20, 20_000, 20_100)
			assert.True(t, r.due(begin), "a hole wants a look")
			r.look(t, gap, 20, 20_000)
			assert.False(t, r.due(begin))
		}, gaps: []bool{false}},
		"a file came and went between two looks, and the next one comes later": {do: func(t *testing.T, r *rotation, gap func(Gap) error) {
			r.lines(t, gap, 0, 10)
			r.look(t, gap, 1, 0)
			r.look(t, gap, 20, 20_000)
			r.lines(t, gap, 20_000)
		}, gaps: []bool{false}},
		"a hole in one file": {do: func(t *testing.T, r *rotation, gap func(Gap) error) {
			r.lines(t, gap, 0, 10)
			r.look(t, gap, 1, 0)
			r.lines(t, gap, 20_000)
			r.look(t, gap, 20, 0)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []bool
			c.do(t, &rotation{}, func(g Gap) error { got = append(got, g.Proven); return nil })
			assert.Equal(t, c.gaps, got)
		})
	}
}

// TestSilentLook: a file that may be rotated soon is looked at while nothing comes,
// a small one is not.
func TestSilentLook(t *testing.T) {
	r := &rotation{}
	none := func(Gap) error { return nil }
	r.lines(t, none, 0)
	r.look(t, none, 0, 0)
	assert.False(t, r.due(begin.Add(time.Hour)), "small")
	require.NoError(t, r.passed(piece{first: true, last: true, time: at(10), data: make([]byte, probeBytes)}, none))
	assert.True(t, r.due(begin), "much came")
	r.look(t, none, 1, 0)
	assert.False(t, r.due(r.looks.Add(probeEvery)))
	assert.True(t, r.due(r.looks.Add(2*probeEvery)))
	r.look(t, none, 6, 20)
	r.lines(t, none, 20)
	assert.False(t, r.due(r.looks.Add(time.Hour)), "the new file is small")
}
