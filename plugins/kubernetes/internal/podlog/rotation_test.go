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

func at(ms int) time.Time { return begin.Add(time.Duration(ms) * time.Millisecond) }

func TestRotation(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(t *testing.T, r *rotation, gap func(Gap) error)
		gaps []bool // proven
	}{
		"the same file": {do: func(t *testing.T, r *rotation, gap func(Gap) error) {
			r.lines(t, gap, 0, 10, 20)
			require.NoError(t, r.looked(at(0), gap))
			r.lines(t, gap, 30)
			require.NoError(t, r.looked(at(0), gap))
		}},
		"a file that was begun before this reader": {do: func(t *testing.T, r *rotation, gap func(Gap) error) {
			r.lines(t, gap, 1000, 1010)
			require.NoError(t, r.looked(at(0), gap))
		}},
		"rotated in a quiet moment": {do: func(t *testing.T, r *rotation, gap func(Gap) error) {
			r.lines(t, gap, 0, 10, 5000, 5010)
			require.NoError(t, r.looked(at(0), gap))
			r.lines(t, gap, 6000, 9000, 9001)
			require.NoError(t, r.looked(at(9000), gap))
		}},
		"rotated while it was written": {do: func(t *testing.T, r *rotation, gap func(Gap) error) {
			r.lines(t, gap, 0, 10)
			require.NoError(t, r.looked(at(0), gap))
			r.lines(t, gap, 20, 21, 22)
			require.NoError(t, r.looked(at(21), gap))
		}, gaps: []bool{false}},
		"rotated while it was written, seen before it came": {do: func(t *testing.T, r *rotation, gap func(Gap) error) {
			r.lines(t, gap, 0, 10)
			require.NoError(t, r.looked(at(0), gap))
			require.NoError(t, r.looked(at(21), gap))
			r.lines(t, gap, 20, 21, 22)
		}, gaps: []bool{false}},
		"a file was skipped": {do: func(t *testing.T, r *rotation, gap func(Gap) error) {
			r.lines(t, gap, 0, 10)
			require.NoError(t, r.looked(at(0), gap))
			require.NoError(t, r.looked(at(500), gap))
			r.lines(t, gap, 20, 9000)
		}, gaps: []bool{true}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []bool
			c.do(t, &rotation{}, func(g Gap) error { got = append(got, g.Proven); return nil })
			assert.Equal(t, c.gaps, got)
		})
	}
}
