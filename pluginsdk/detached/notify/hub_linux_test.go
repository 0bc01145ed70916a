package notify

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestYoungDirectoriesAreLookedAtByTheClock(t *testing.T) {
	var h Hub
	ch, stop := h.Watch(t.TempDir())
	expect(t, ch)
	expect(t, ch)
	h.mu.Lock()
	watched := h.file != nil
	h.mu.Unlock()
	stop()
	require.False(t, watched, "the kernel is not asked yet")
	require.Equal(t, soonest, youngPace(0))
	require.Equal(t, latest, youngPace(young))
}
