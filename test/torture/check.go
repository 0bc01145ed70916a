package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/runs/spool"
)

// check is what must hold after the last recovery; may and must are about an end as
// unknown.
func (w *World) check(r *runs.Run, may, must bool) {
	w.t.Helper()
	require.NotNil(w.t, r)
	w.checkOnce()
	if must {
		require.Equal(w.t, runs.Unknown, r.State, "nobody can know, and the run says that it does: %s", r.StateReason)
	}
	if may && r.State == runs.Unknown {
		w.checkUnknown()
		w.checkNothingLeft() // the step ends by itself, if there is one
		return
	}
	require.Equal(w.t, runs.Closed, r.State, r.StateReason)
	require.NotNil(w.t, r.Verdict)
	assert.Equal(w.t, "user", r.Verdict.Class, r.Verdict.Message)
	switch {
	case w.flavor.NoExitCode:
		assert.Nil(w.t, r.Verdict.ExitCode, "the backend tells none")
	case assert.NotNil(w.t, r.Verdict.ExitCode):
		assert.Equal(w.t, 3, *r.Verdict.ExitCode)
	}
	assert.Len(w.t, w.attempts(), 1)
	w.checkLog(r)
	w.checkNothingLeft()
}

// checkUnknown: who asks about an unknown run, or launches it again, sends nothing.
func (w *World) checkUnknown() {
	w.t.Helper()
	o := w.run(nil, w.last...)
	assert.Equal(w.t, 125, o.code, "a launch of the same run: %s", o.stderr)
	r := w.record()
	require.NotNil(w.t, r)
	assert.Equal(w.t, runs.Unknown, r.State, r.StateReason)
	assert.Len(w.t, r.Attempts, 1)
	w.checkOnce()
}

// checkCancelled is what must hold after a cancel and the last recovery; may and
// must are about an end as unknown.
func (w *World) checkCancelled(may, must bool) {
	w.t.Helper()
	if r := w.record(); r != nil && r.Intent == nil {
		w.run(nil, "run", "cancel", r.ID)
	}
	r := w.recovered()
	require.NotNil(w.t, r)
	w.checkOnce()
	if must {
		require.Equal(w.t, runs.Unknown, r.State, "nobody can know, and the run says that it does: %s", r.StateReason)
	}
	if may && r.State == runs.Unknown {
		return
	}
	require.Equal(w.t, runs.Closed, r.State, r.StateReason)
	assert.Equal(w.t, "cancelled", r.Verdict.Class, r.Verdict.Message)
	w.checkNothingLeft()
}

// checkOnce: no attempt ran twice.
func (w *World) checkOnce() {
	w.t.Helper()
	ran := w.attempts()
	for i, a := range ran {
		assert.NotContains(w.t, ran[:i], a, "attempt %s ran twice", a)
	}
	if w.flavor.Jobs == nil {
		return
	}
	if r := w.record(); r != nil {
		assert.LessOrEqual(w.t, w.flavor.Jobs(w), len(r.Attempts), "jobs at the backend, attempts in the record")
	}
}

// checkLog: every line once and in order, or a mark where it may not be.
func (w *World) checkLog(r *runs.Run) {
	w.t.Helper()
	store, err := runs.Open(context.Background(), w.home.Runs(), runs.Options{})
	require.NoError(w.t, err)
	defer store.Close()
	reader, err := spool.OpenReader(store.LogDir(r.ID), spool.ReadOptions{})
	require.NoError(w.t, err)
	defer reader.Close()
	text, marked := map[int32]*strings.Builder{}, false
	for {
		rec, err := reader.Next(context.Background())
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(w.t, err)
		switch {
		case rec.Kind == spool.KindGap:
			marked = true
			w.t.Logf("gap (%s): %s", rec.Gap.Certainty, rec.Gap.Reason)
		case rec.Kind == spool.KindEntry && rec.Source.Stream == "stdout":
			if text[rec.Source.Attempt] == nil {
				text[rec.Source.Attempt] = &strings.Builder{}
			}
			text[rec.Source.Attempt].Write(rec.Entry.Data)
		}
	}
	if !w.flavor.PossibleGaps {
		assert.False(w.t, marked, "nothing in these scenarios loses a line")
	}
	var want strings.Builder
	for i := 1; i <= w.lines; i++ {
		fmt.Fprintf(&want, "line %d\n", i)
	}
	last := int32(len(r.Attempts))
	got := ""
	if text[last] != nil {
		got = text[last].String()
	}
	assert.Equal(w.t, want.String(), got, "the log of attempt %d", last)
}

// checkNothingLeft: no process that knows this world lives.
func (w *World) checkNothingLeft() {
	w.t.Helper()
	assert.Eventually(w.t, func() bool { return len(w.processes()) == 0 }, 30*time.Second, 20*time.Millisecond, "processes are left")
	for _, pid := range w.processes() {
		w.t.Logf("left: %d %q", pid, commandLine(pid))
	}
}
