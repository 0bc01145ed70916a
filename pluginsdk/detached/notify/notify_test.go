package notify

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hang is longer than any signal takes.
const hang = 30 * time.Second

func expect(t *testing.T, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(hang):
		require.FailNow(t, "no signal")
	}
}

func TestChangesAreSignalled(t *testing.T) {
	h := Hub{grownUp: true}
	dir := t.TempDir()
	one, stopOne := h.Watch(dir)
	two, stopTwo := h.Watch(dir)
	other, stopOther := h.Watch(t.TempDir())
	for _, ch := range []<-chan struct{}{one, two, other} {
		expect(t, ch) // once it is watched
	}
	path := filepath.Join(dir, "file")
	f, err := os.Create(path)
	require.NoError(t, err)
	expect(t, one)
	expect(t, two)
	stopTwo()
	_, err = f.WriteString("x")
	require.NoError(t, err)
	expect(t, one)
	require.NoError(t, f.Close())
	expect(t, one)
	require.NoError(t, os.Link(path, path+"2"))
	expect(t, one)
	select {
	case <-other:
		require.FailNow(t, "a signal about another directory")
	default:
	}
	stopOne()
	stopOther()

	again, stop := h.Watch(dir) // the hub comes back after it was idle
	require.NoError(t, os.Remove(path))
	expect(t, again)
	stop()
}

func TestMissingDirectoryIsWatchedByTheClock(t *testing.T) {
	var h Hub
	ch, stop := h.Watch(filepath.Join(t.TempDir(), "not yet"))
	expect(t, ch)
	expect(t, ch)
	stop()
}

func TestDirectoryRemoved(t *testing.T) {
	var h Hub
	dir := filepath.Join(t.TempDir(), "job")
	require.NoError(t, os.Mkdir(dir, 0o700))
	ch, stop := h.Watch(dir)
	require.NoError(t, os.Remove(dir))
	expect(t, ch)
	stop()
}

func TestSignal(t *testing.T) {
	h := Hub{grownUp: true}
	dir := t.TempDir()
	ch, stop := h.Watch(dir)
	expect(t, ch) // once it is watched
	h.Signal(dir)
	expect(t, ch)
	stop()
	h.Signal(dir)
	h.telling.Lock()
	defer h.telling.Unlock()
	require.Empty(t, h.told)
}
