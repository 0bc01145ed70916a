package host_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/launch"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/test/smalldisk"
)

// fillRuns puts the store of runs and the logs on a disk of their own, with room for
// the store and not for the logs. It returns the file that fills it.
func (w *world) fillRuns() (hog string) {
	w.t.Helper()
	dir := w.home.Runs()
	require.NoError(w.t, os.MkdirAll(dir, 0o700))
	// Hosts that are closed later still hold files there.
	smalldisk.Mount(w.t, dir, "64m", syscall.MNT_DETACH)
	hog = filepath.Join(dir, "hog")
	require.NoError(w.t, os.WriteFile(hog, make([]byte, 63<<20), 0o600))
	return hog
}

// A disk without room for the log costs the log nothing but time: the verdict comes, the
// run says what it waits for, and recovery brings everything.
func TestNoRoomForTheLog(t *testing.T) {
	w := newWorld(t, "key")
	hog := w.fillRuns()
	h := w.host()
	l, r, err := w.launch(h, step(`["sh", "-c", "echo one; echo '::stephost value a=[1]'; echo two"]`, ""), "")
	var log *launch.LogError
	require.ErrorAs(t, err, &log)
	assert.Contains(t, log.Reason, "disk almost full")
	require.NotNil(t, r)
	assert.Equal(t, runs.Ended, r.State)
	assert.Contains(t, r.StateReason, "the log waits for room: disk almost full")
	assert.Equal(t, "[1]", string(r.Values["a"]), "what the step printed for its caller is there")
	res := host.ResultOf(r, err, 0)
	assert.Equal(t, 0, res.Exit, "the verdict stands")
	assert.Equal(t, runs.ClassSucceeded, res.Class)
	assert.Contains(t, res.Next, "stephost run recover "+r.ID)

	again := func() (*runs.Run, error) {
		s, err := w.host().Attach(w.ctx, r.ID, host.SessionOptions{})
		require.NoError(t, err)
		return s.Wait(w.ctx)
	}
	_, err = again()
	require.ErrorAs(t, err, &log, "it stays until there is room")
	require.NoError(t, os.Remove(hog))
	r, err = again()
	require.NoError(t, err)
	assert.Equal(t, runs.Closed, r.State)
	assert.Empty(t, r.StateReason)
	assert.Equal(t, "[1]", string(r.Values["a"]))
	assert.Equal(t, "one\n::stephost value a=[1]\ntwo\n", w.log(l.Session, "stdout"))
}

// An owner that was replaced stops at once, also when its job says nothing.
func TestReplacedOwnerStops(t *testing.T) {
	w := newWorld(t, "key")
	old := w.host()
	l, err := old.Launch(w.ctx, host.LaunchRequest{Selection: w.selection(old, step(`["sh", "-c", "echo one; while [ ! -e `+w.t.TempDir()+`/go ]; do sleep 0.05; done"]`, ""))})
	require.NoError(t, err)
	ended := make(chan error)
	go func() {
		_, err := l.Wait(w.ctx)
		ended <- err
	}()
	store, err := old.Runs(w.ctx)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		r, err := store.Run(w.ctx, l.ID())
		return err == nil && r.State == runs.Submitted && r.Current().Phase == "running" && w.log(l.Session, "stdout") == "one\n"
	}, hang, 20*time.Millisecond)

	young, err := w.host().Attach(w.ctx, l.ID(), host.SessionOptions{TakeOver: true})
	require.NoError(t, err)
	over := make(chan *runs.Run)
	go func() {
		r, err := young.Wait(w.ctx)
		assert.NoError(t, err)
		over <- r
	}()
	select {
	case err := <-ended:
		var fenced *runs.FencedError
		require.ErrorAs(t, err, &fenced)
	case <-time.After(20 * time.Second): // less than the silence after which Watch begins anew
		t.Error("it goes on")
	}
	require.NoError(t, young.Cancel(w.ctx, runs.CauseUser, "test", true))
	r := <-over
	assert.Equal(t, "cancelled", r.Verdict.Class)
	assert.Equal(t, "one\n", w.log(young, "stdout"), "once")
}
