package host_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/launch"
	"github.com/stephost/stephost/host/runs"
)

// brim fills the disk that the file is on.
func (w *world) brim(hog string) (room func()) {
	f, err := os.Create(hog)
	require.NoError(w.t, err)
	for size := 1 << 20; size > 0; size /= 2 {
		for err == nil {
			_, err = f.Write(make([]byte, size))
		}
		err = nil
	}
	require.NoError(w.t, f.Close())
	return func() { require.NoError(w.t, os.Remove(hog)) }
}

// A store without room at the moment of the verdict is waited for, and the person who
// waits is told.
func TestNoRoomForTheVerdict(t *testing.T) {
	w := newWorld(t, "key")
	hog := w.fillRuns()
	require.NoError(t, os.Remove(hog))
	told := make(chan launch.Notice, 100)
	h := host.New(host.Options{Home: w.home, Notify: func(n launch.Notice) {
		if n.Reason == "store" {
			told <- n
		}
	}})
	t.Cleanup(func() { assert.NoError(t, h.Close(w.ctx)) })
	_, goOn, end := w.submitted(h, "")
	room := w.brim(hog)
	goOn()
	n := <-told
	assert.Contains(t, n.Message, "the store of runs cannot be written")
	assert.False(t, n.Until.IsZero(), "the wait has a bound")
	room()
	r, err := end()
	if err != nil {
		require.True(t, launch.VerdictStands(err), "%v", err)
	}
	require.NotNil(t, r.Verdict)
	assert.Equal(t, runs.ClassSucceeded, r.Verdict.Class)
}

// A cancel that cannot be stored is obeyed by the process that drives the run. It is
// stored with the verdict, so that nothing follows the attempt.
func TestNoRoomForTheCancel(t *testing.T) {
	w := newWorld(t, "key")
	hog := w.fillRuns()
	require.NoError(t, os.Remove(hog))
	h := w.host()
	l, _, end := w.submitted(h, "retry {\nuser = 1\n}")
	room := w.brim(hog)
	err := l.Cancel(w.ctx, runs.CauseSignal, "SIGINT to process 7", false)
	var unstored *launch.UnstoredError
	require.ErrorAs(t, err, &unstored)
	var disk *runs.DiskError
	require.ErrorAs(t, err, &disk)
	require.Eventually(t, func() bool {
		jobs, err := w.backend.AllJobs(w.ctx)
		return err == nil && len(jobs) == 1 && jobs[0].State != "running"
	}, hang, 20*time.Millisecond, "the job is ended while there is no room")
	room()
	r, err := end()
	if err != nil {
		require.True(t, launch.VerdictStands(err), "%v", err)
	}
	assert.Equal(t, "cancelled", r.Verdict.Class)
	require.NotNil(t, r.Intent)
	assert.Equal(t, runs.CauseSignal, r.Intent.Cause)
	assert.Len(t, r.Attempts, 1)
}
