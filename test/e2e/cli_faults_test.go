//go:build unix

package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/fault"
	"github.com/stephost/stephost/test/fault/wire"
)

// newFaultLab is a lab whose operator "here" is of a flavor that misbehaves on
// request.
func newFaultLab(t *testing.T, variant string, faults wire.Faults) (*lab, *fault.Backend) {
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	t.Cleanup(cancel)
	programs, err := fault.Build(ctx)
	require.NoError(t, err)
	backend, err := programs.Start(ctx, t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, backend.Stop()) })
	plugin, err := programs.Install(t.TempDir(), variant)
	require.NoError(t, err)
	require.NoError(t, backend.ForStep(ctx, "train", faults))
	l := newLab(t)
	l.must("operator", "delete", "here")
	l.must("flavor", "register", plugin)
	l.must("operator", "register", "here", "--flavor=fault-"+variant, "--socket="+backend.Socket)
	return l, backend
}

func result(t *testing.T, path string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var out map[string]any
	require.NoError(t, json.Unmarshal(data, &out))
	return out
}

// Ctrl-C while it is not known yet whether the job exists: it is found, and then
// ended.
func TestInterruptWithSubmitInFlight(t *testing.T) {
	t.Parallel()
	for _, variant := range []string{"key", "search"} {
		t.Run(variant, func(t *testing.T) {
			t.Parallel()
			l, _ := newFaultLab(t, variant, wire.Faults{ReplyLost: 1, ListedAfterMS: 1000})
			s := l.step("sleep 1000")
			p := l.start(s.launch("--step-name", "train")...)
			p.sees("submitting")
			p.signal(syscall.SIGINT)
			assert.Equal(t, 130, p.wait(), p.err)
			assert.Equal(t, "cancelled", l.only().Verdict.Class)
			assert.False(t, s.alive())
			assert.LessOrEqual(t, len(s.pids()), 1)
		})
	}
}

// A cancel that the backend never confirms is its own outcome; force ends it.
func TestUnconfirmedCancel(t *testing.T) {
	t.Parallel()
	l, _ := newFaultLab(t, "key", wire.Faults{CancelNever: true})
	s := l.step("sleep 1000")
	file := filepath.Join(l.dir, "result")
	p := l.start(s.launch("--step-name", "train", "--timeout-cancel", "1s", "--result-file", file)...)
	s.started()
	p.signal(syscall.SIGINT)
	assert.Equal(t, 130, p.wait(), p.err)
	assert.Contains(t, p.err.String(), "run cancel --force")
	assert.Equal(t, true, result(t, file)["cancel_unconfirmed"])
	assert.True(t, s.alive())
	id := l.only().Run
	_, errs, code := l.run("run", "cancel", id)
	assert.Equal(t, 125, code, errs)
	_, errs, code = l.run("run", "cancel", "--force", id)
	assert.Equal(t, 0, code, errs)
	assert.False(t, s.alive())
	assert.Equal(t, "cancelled", l.only().Verdict.Class)
}

// Whether the job exists cannot be told: unknown, never sent again, ended by a
// person's word.
func TestUnknownAndResolve(t *testing.T) {
	t.Parallel()
	l, _ := newFaultLab(t, "none", wire.Faults{ReplyLost: 1})
	s := l.step("sleep 1000")
	file := filepath.Join(l.dir, "result")
	_, errs, code := l.run(s.launch("--step-name", "train", "--result-file", file)...)
	assert.Equal(t, 125, code)
	assert.Contains(t, errs, "run resolve")
	assert.Equal(t, "unknown", result(t, file)["class"])
	id := l.only().Run
	_, errs, code = l.run("run", "attach", id)
	assert.Equal(t, 125, code, errs)
	assert.LessOrEqual(t, len(s.pids()), 1)
	_, errs, code = l.run("run", "resolve", id)
	assert.Equal(t, 125, code)
	assert.Contains(t, errs, "not-submitted")
	l.must("run", "resolve", id, "--abandon")
	l.must("run", "recover", id)
	r := l.only()
	assert.Equal(t, "closed", r.State)
	assert.Equal(t, "lost", r.Verdict.Class)
	_, _, code = l.run("run", "wait", id)
	assert.Equal(t, 75, code)
}
