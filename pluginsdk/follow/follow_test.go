package follow

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEnds(t *testing.T) {
	var e Ends
	_, known := e.Over("never")
	assert.False(t, known)
	for name, c := range map[string]struct {
		over        bool
		age         time.Duration
		over2, know bool
	}{
		"goes on":           {false, 0, false, true},
		"went on, long ago": {false, fresh, false, false},
		"over":              {true, 0, true, true},
		"over, long ago":    {true, time.Hour, true, true},
	} {
		e.NoteAt(name, c.over, time.Now().Add(-c.age))
		over, known := e.Over(name)
		assert.Equal(t, c.know, known, name)
		if known {
			assert.Equal(t, c.over2, over, name)
		}
	}
	e.Note("goes on", true)
	over, known := e.Over("goes on")
	assert.True(t, over && known)
}

func TestEndsAreBounded(t *testing.T) {
	var e Ends
	for i := range 2*most + 1 {
		e.Note(fmt.Sprint(i), false)
	}
	assert.LessOrEqual(t, len(e.jobs), most)
	_, known := e.Over(fmt.Sprint(2 * most))
	assert.True(t, known, "the latest is there")
}

// TestPauseGrows while there are no news, up to the most.
func TestPauseGrows(t *testing.T) {
	p := Pause{First: time.Millisecond, Most: 3 * time.Millisecond}
	var planned []time.Duration
	for range 5 {
		require.NoError(t, p.Wait(t.Context()))
		planned = append(planned, p.next)
	}
	assert.Equal(t, []time.Duration{1500 * time.Microsecond, 2250 * time.Microsecond, 3 * time.Millisecond, 3 * time.Millisecond, 3 * time.Millisecond}, planned)
	p.News()
	assert.Equal(t, p.First, p.next)
}

func TestPauseIsBounded(t *testing.T) {
	p := Pause{First: time.Hour, Most: time.Hour}
	require.NoError(t, p.Wait(t.Context(), time.Minute, time.Millisecond), "the shortest counts")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, p.Wait(ctx), context.Canceled)
}

func TestChance(t *testing.T) {
	for range 1000 {
		d := jittered(time.Second)
		assert.GreaterOrEqual(t, d, 900*time.Millisecond)
		assert.LessOrEqual(t, d, 1100*time.Millisecond)
	}
}
