package follow

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stephost/stephost/pluginsdk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPhases(t *testing.T) {
	var p Phases
	_, known := p.Over("never")
	assert.False(t, known)
	assert.False(t, p.Waits("never"))
	for name, c := range map[string]struct {
		phase              pluginsdk.Phase
		age                time.Duration
		over, known, waits bool
	}{
		"queued":           {pluginsdk.Queued, 0, false, true, true},
		"provisioning":     {pluginsdk.Provisioning, 0, false, true, true},
		"running":          {pluginsdk.Running, 0, false, true, false},
		"cancelling":       {pluginsdk.Cancelling, 0, false, true, false},
		"of tomorrow":      {0, 0, false, true, false},
		"queued, long ago": {pluginsdk.Queued, fresh, false, false, false},
		"over":             {pluginsdk.Failed, 0, true, true, false},
		"over, long ago":   {pluginsdk.Lost, time.Hour, true, true, false},
	} {
		p.NoteAt(name, c.phase, time.Now().Add(-c.age))
		over, known := p.Over(name)
		assert.Equal(t, c.known, known, name)
		assert.Equal(t, c.over, over, name)
		assert.Equal(t, c.waits, p.Waits(name), name)
	}
	p.Note("queued", pluginsdk.Succeeded)
	over, known := p.Over("queued")
	assert.True(t, over && known)
}

func TestPhasesAreBounded(t *testing.T) {
	var p Phases
	for i := range 2*most + 1 {
		p.Note(fmt.Sprint(i), pluginsdk.Running)
	}
	assert.LessOrEqual(t, len(p.jobs), most)
	_, known := p.Over(fmt.Sprint(2 * most))
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
