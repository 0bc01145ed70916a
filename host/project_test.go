package host_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/schema"
)

// projectDir writes a project of one step.
func projectDir(t *testing.T, name, text string) string {
	dir := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "deep", "er"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "stephost.hcl"), []byte(text), 0o600))
	return dir
}

// selectionIn is the step of the project that dir is in.
func (w *world) selectionIn(h *host.Host, dir string) *host.Selection {
	w.t.Helper()
	p, _, err := h.Project(w.ctx, host.ProjectOptions{Dir: dir})
	require.NoError(w.t, err)
	sel, err := h.Select(w.ctx, host.StepRequest{Project: p, Step: "train", Stage: schema.StageLaunch})
	require.NoError(w.t, err)
	return sel
}

// projects are those that the backend was called for.
func (w *world) projects() []string {
	w.t.Helper()
	all, err := w.backend.Projects(w.ctx)
	require.NoError(w.t, err)
	return slices.Sorted(maps.Keys(all))
}

// begun launches the step of dir's project and leaves it behind when it runs.
func (w *world) begun(dir, token string, ran func() []string) *runs.Run {
	w.t.Helper()
	h := w.host()
	ctx, cancel := context.WithCancel(w.ctx)
	l, err := h.Launch(ctx, host.LaunchRequest{Selection: w.selectionIn(h, dir), Token: token})
	require.NoError(w.t, err)
	go func() {
		assert.Eventually(w.t, func() bool { return len(ran()) == 1 }, hang, 10*time.Millisecond)
		cancel()
	}()
	_, err = l.Wait(ctx)
	require.ErrorIs(w.t, err, context.Canceled)
	require.NoError(w.t, h.Close(w.ctx))
	return l.Run
}

// TestProjectOfARun: every call about a run names the project that it was launched
// from: from a directory below, by another process in another directory, from a
// directory that was renamed under the same token, until its record is gone.
func TestProjectOfARun(t *testing.T) {
	for _, variant := range []string{"key", "search"} {
		t.Run(variant, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, variant)
			argv, ran := witness(t, "echo hello; sleep 1")
			dir := projectDir(t, "digits", step(argv, ""))
			r := w.begun(filepath.Join(dir, "deep", "er"), "", ran)
			require.NoError(t, w.host().Recover(w.ctx, []string{r.ID}, false, func(got host.Recovered) {
				require.NoError(t, got.Err)
				assert.Equal(t, "succeeded", got.Run.Verdict.Class)
			}))
			assert.Equal(t, []string{"digits"}, w.projects(), "recovered")

			argv, ran = witness(t, "echo hello; sleep 1")
			require.NoError(t, os.WriteFile(filepath.Join(dir, "stephost.hcl"), []byte(step(argv, "")), 0o600))
			w.begun(dir, "nightly", ran)
			renamed := filepath.Join(filepath.Dir(dir), "numbers")
			require.NoError(t, os.Rename(dir, renamed))
			h := w.host()
			l, err := h.Launch(w.ctx, host.LaunchRequest{Selection: w.selectionIn(h, renamed), Token: "nightly"})
			require.NoError(t, err, "the token joins its run: it is not refused for its project")
			assert.False(t, l.Created)
			end, err := l.Wait(w.ctx)
			require.NoError(t, err)
			assert.Equal(t, "succeeded", end.Verdict.Class)
			assert.Equal(t, []string{"1"}, ran())
			assert.Equal(t, "hello\n", w.log(l.Session, "stdout"))
			assert.Equal(t, []string{"digits"}, w.projects(), "joined")

			// A new run is of the project as it is called now.
			l, err = h.Launch(w.ctx, host.LaunchRequest{Selection: w.selectionIn(h, renamed), Token: "next"})
			require.NoError(t, err)
			_, err = l.Wait(w.ctx)
			require.NoError(t, err)
			assert.Equal(t, []string{"digits", "numbers"}, w.projects())
		})
	}
}

// TestProjectOfAPerson: calls that are about no run name the project that the person
// is in, and none where there is none.
func TestProjectOfAPerson(t *testing.T) {
	w := newWorld(t, "key")
	h := w.host()
	dir := projectDir(t, "any", "project {\n  name = \"Ziffern 7\"\n}\n"+step(`["true"]`, ""))
	_, err := h.Plan(w.ctx, w.selectionIn(h, dir), true)
	require.NoError(t, err)
	assert.Equal(t, []string{"Ziffern 7"}, w.projects())
	p, _, err := h.Project(w.ctx, host.ProjectOptions{Dir: dir})
	require.NoError(t, err)
	op, err := h.SelectOperator(w.ctx, p, "op", schema.StageLaunch)
	require.NoError(t, err)
	_, err = h.CheckFlavor(w.ctx, op)
	require.NoError(t, err)
	assert.Equal(t, []string{"Ziffern 7"}, w.projects())

	op, err = h.SelectOperator(w.ctx, nil, "op", schema.StageLaunch)
	require.NoError(t, err)
	_, err = h.CheckFlavor(w.ctx, op)
	require.NoError(t, err)
	assert.Equal(t, []string{"", "Ziffern 7"}, w.projects())
}

// TestJoinFromElsewhere: a home that knows nothing of the run finds it from outside
// of its project, and sees it to its end.
func TestJoinFromElsewhere(t *testing.T) {
	w := newWorld(t, "search")
	argv, ran := witness(t, "echo hello; sleep 1")
	w.begun(projectDir(t, "digits", step(argv, "")), "nightly", ran)
	require.NoError(t, os.RemoveAll(w.home.Runs()))
	h := w.host()
	r, err := h.Join(w.ctx, nil, "op", "nightly")
	require.NoError(t, err)
	s, err := h.Attach(w.ctx, r.ID, host.SessionOptions{})
	require.NoError(t, err)
	r, err = s.Wait(w.ctx)
	require.NoError(t, err)
	assert.Equal(t, "succeeded", r.Verdict.Class)
	assert.Equal(t, []string{"1"}, ran())
}
