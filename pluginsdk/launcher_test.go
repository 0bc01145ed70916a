package pluginsdk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/durationpb"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

var launcherManifest = testManifest([]string{"find", "logs", "cancel", "cleanup"})

func launchTarget() *operatorv1.Target {
	return &operatorv1.Target{Operator: "op", Config: &operatorv1.Values{Json: []byte(`{}`)}}
}

// launchStep submits a step with this run directory.
func launchStep(t *testing.T, c operatorv1.StepOperatorClient, dir string, change func(*operatorv1.Step)) *operatorv1.SubmitResponse {
	t.Helper()
	s := testStep()
	s.RunDir = dir
	if change != nil {
		change(s)
	}
	r, err := c.Submit(testContext(t), &operatorv1.SubmitRequest{Target: launchTarget(), Step: s, RequestDigest: "d1"})
	require.NoError(t, err)
	return r
}

func watchLaunch(t *testing.T, c operatorv1.StepOperatorClient, h *operatorv1.Handle) watchStream {
	t.Helper()
	s, err := c.Watch(testContext(t), &operatorv1.WatchRequest{
		Target: launchTarget(), Key: testKey, Handle: h, HeartbeatInterval: durationpb.New(time.Minute)})
	require.NoError(t, err)
	return s
}

func TestLauncherVerdicts(t *testing.T) {
	tests := map[string]struct {
		launch func(ctx context.Context, s *Step) error
		phase  operatorv1.Phase
		class  operatorv1.Class
		code   *int32
		signal string
	}{
		"success":    {func(context.Context, *Step) error { return nil }, operatorv1.Phase_PHASE_SUCCEEDED, 0, new(int32), ""},
		"user code":  {func(context.Context, *Step) error { return User(4) }, operatorv1.Phase_PHASE_FAILED, operatorv1.Class_CLASS_USER, ptr[int32](4), ""},
		"exit error": {func(ctx context.Context, _ *Step) error { return exec.CommandContext(ctx, "sh", "-c", "exit 5").Run() }, operatorv1.Phase_PHASE_FAILED, operatorv1.Class_CLASS_USER, ptr[int32](5), ""},
		"signal": {func(ctx context.Context, _ *Step) error {
			return exec.CommandContext(ctx, "sh", "-c", "kill -9 $$").Run()
		}, operatorv1.Phase_PHASE_FAILED, operatorv1.Class_CLASS_USER, nil, "SIGKILL"},
		"capacity": {func(context.Context, *Step) error { return Capacity(errors.New("full")) }, operatorv1.Phase_PHASE_FAILED, operatorv1.Class_CLASS_CAPACITY, nil, ""},
		"other":    {func(context.Context, *Step) error { return errors.New("boom") }, operatorv1.Phase_PHASE_FAILED, operatorv1.Class_CLASS_SYSTEM, nil, ""},
		"panic":    {func(context.Context, *Step) error { panic("boom") }, operatorv1.Phase_PHASE_FAILED, operatorv1.Class_CLASS_SYSTEM, nil, ""},
		"exited":   {func(context.Context, *Step) error { runtime.Goexit(); return nil }, operatorv1.Phase_PHASE_FAILED, operatorv1.Class_CLASS_SYSTEM, nil, ""},
		"nil exit error": {func(context.Context, *Step) error {
			var none *exec.ExitError
			return none
		}, operatorv1.Phase_PHASE_FAILED, operatorv1.Class_CLASS_SYSTEM, nil, ""},
		"wrapped nil exit error": {func(context.Context, *Step) error {
			var none *exec.ExitError
			return fmt.Errorf("it ended: %w", none)
		}, operatorv1.Phase_PHASE_FAILED, operatorv1.Class_CLASS_SYSTEM, nil, ""},
		"largest code":  {func(context.Context, *Step) error { return User(255) }, operatorv1.Phase_PHASE_FAILED, operatorv1.Class_CLASS_USER, ptr[int32](255), ""},
		"no such code":  {func(context.Context, *Step) error { return User(256) }, operatorv1.Phase_PHASE_FAILED, operatorv1.Class_CLASS_USER, nil, ""},
		"far too large": {func(context.Context, *Step) error { return User(999) }, operatorv1.Phase_PHASE_FAILED, operatorv1.Class_CLASS_USER, nil, ""},
		"negative":      {func(context.Context, *Step) error { return User(-1) }, operatorv1.Phase_PHASE_FAILED, operatorv1.Class_CLASS_USER, nil, ""},
		"deadline":      {func(ctx context.Context, _ *Step) error { <-ctx.Done(); return ctx.Err() }, operatorv1.Phase_PHASE_FAILED, operatorv1.Class_CLASS_TIMEOUT, nil, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c := serveTest(t, launcherManifest, Launch(LauncherFunc(tc.launch)))
			r := launchStep(t, c, dir, func(s *operatorv1.Step) {
				if name == "deadline" {
					s.Deadlines = &operatorv1.Deadlines{Run: durationpb.New(time.Millisecond)}
				}
			})
			require.NotNil(t, r.GetAccepted(), "%v", r)
			check := func(c operatorv1.StepOperatorClient) {
				end := terminals(collect(t, watchLaunch(t, c, r.GetAccepted().GetHandle())))[0]
				assert.Equal(t, tc.phase, end.GetPhase())
				assert.Equal(t, tc.class, end.GetClass())
				assert.Equal(t, tc.code, end.ExitCode)
				assert.Equal(t, tc.signal, end.GetSignal())
				if tc.phase == operatorv1.Phase_PHASE_FAILED && tc.signal == "" {
					assert.NotEmpty(t, end.GetMessage())
				}
			}
			check(c)
			// Another plugin process reads the same verdict.
			check(serveTest(t, launcherManifest, Launch(LauncherFunc(nil))))
		})
	}
}

func ptr[T any](v T) *T { return &v }

func TestLauncherRunsOnce(t *testing.T) {
	dir := t.TempDir()
	var runs atomic.Int32
	release := make(chan struct{})
	l := LauncherFunc(func(context.Context, *Step) error { runs.Add(1); <-release; return nil })
	c := serveTest(t, launcherManifest, Launch(l))
	first := launchStep(t, c, dir, nil)
	require.False(t, first.GetAccepted().GetExisting())
	require.True(t, launchStep(t, c, dir, nil).GetAccepted().GetExisting())

	// A second plugin process of the same machine, while the first one lives.
	other := serveTest(t, launcherManifest, Launch(l))
	require.True(t, launchStep(t, other, dir, nil).GetAccepted().GetExisting())
	m, err := watchLaunch(t, other, first.GetAccepted().GetHandle()).Recv()
	require.NoError(t, err)
	assert.Contains(t, m.GetReachability().GetCouldNotAsk().GetDiagnostic().GetSummary(), "another plugin process")

	// The same key with another request.
	bad, err := c.Submit(testContext(t), &operatorv1.SubmitRequest{Target: launchTarget(), Step: testStep(), RequestDigest: "d2"})
	require.NoError(t, err)
	assert.NotNil(t, bad.GetRejected())
	assert.Equal(t, operatorv1.Class_CLASS_CONFIG, bad.GetDiagnostics()[0].GetClass())

	found, err := c.Find(testContext(t), &operatorv1.FindRequest{Target: launchTarget(), By: &operatorv1.FindRequest_RunToken{RunToken: "token-1"}})
	require.NoError(t, err)
	assert.Equal(t, operatorv1.FindResponse_OUTCOME_FOUND, found.GetOutcome())
	close(release)
	collect(t, watchLaunch(t, c, first.GetAccepted().GetHandle()))
	require.True(t, launchStep(t, other, dir, nil).GetAccepted().GetExisting(), "also after its end")
	assert.Equal(t, int32(1), runs.Load())
}

// A step that ends its process must not take the answer of Submit with it: it begins
// when a call with its handle has come, or a moment later.
func TestLauncherAnswersFirst(t *testing.T) {
	began := make(chan struct{}, 1)
	c := serveTest(t, launcherManifest, Launch(LauncherFunc(func(context.Context, *Step) error { began <- struct{}{}; return nil })))
	at := time.Now()
	r := launchStep(t, c, t.TempDir(), nil)
	assert.Empty(t, began)
	collect(t, watchLaunch(t, c, r.GetAccepted().GetHandle()))
	assert.Len(t, began, 1)
	assert.Less(t, time.Since(at), launchDelay)

	<-began
	launchStep(t, c, t.TempDir(), func(s *operatorv1.Step) { s.Key = strings.ToUpper(testKey) })
	<-began // also where nobody asks

	// One whose process ends first never begins.
	impl := Launch(LauncherFunc(func(context.Context, *Step) error { t.Error("begun"); return nil }))
	c = serveTest(t, launcherManifest, impl)
	r = launchStep(t, c, t.TempDir(), nil)
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	impl.close(ctx)
	assert.Equal(t, operatorv1.Phase_PHASE_LOST, terminals(collect(t, watchLaunch(t, c, r.GetAccepted().GetHandle())))[0].GetPhase())
}

// The plugin process ends: the step is lost, and nobody starts it again.
func TestLauncherIsLostWithItsProcess(t *testing.T) {
	dir := t.TempDir()
	began, stopped := make(chan struct{}), make(chan struct{})
	impl := Launch(LauncherFunc(func(ctx context.Context, _ *Step) error {
		defer close(stopped)
		close(began)
		<-ctx.Done()
		return ctx.Err()
	}))
	c := serveTest(t, launcherManifest, impl)
	r := launchStep(t, c, dir, nil)
	_, err := watchLaunch(t, c, r.GetAccepted().GetHandle()).Recv()
	require.NoError(t, err)
	<-began
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	impl.close(ctx)
	<-stopped
	next := serveTest(t, launcherManifest, Launch(LauncherFunc(func(context.Context, *Step) error { t.Error("started twice"); return nil })))
	require.True(t, launchStep(t, next, dir, nil).GetAccepted().GetExisting())
	end := terminals(collect(t, watchLaunch(t, next, r.GetAccepted().GetHandle())))[0]
	assert.Equal(t, operatorv1.Phase_PHASE_LOST, end.GetPhase())
	assert.Equal(t, operatorv1.Class_CLASS_LOST, end.GetClass())
}

func TestLauncherCancel(t *testing.T) {
	c := serveTest(t, launcherManifest, Launch(LauncherFunc(func(ctx context.Context, _ *Step) error {
		return exec.CommandContext(ctx, "sleep", "1000").Run()
	})))
	r := launchStep(t, c, t.TempDir(), nil)
	s := watchLaunch(t, c, r.GetAccepted().GetHandle())
	_, err := s.Recv()
	require.NoError(t, err)
	cancel := func() *operatorv1.CancelResponse {
		x, err := c.Cancel(testContext(t), &operatorv1.CancelRequest{Target: launchTarget(), Key: testKey, Handle: r.GetAccepted().GetHandle()})
		require.NoError(t, err)
		return x
	}
	assert.NotNil(t, cancel().GetAccepted())
	assert.Equal(t, operatorv1.Phase_PHASE_CANCELLED, terminals(collect(t, s))[0].GetPhase())
	assert.NotNil(t, cancel().GetAlreadyOver())
}

func TestLauncherLogs(t *testing.T) {
	dir := t.TempDir()
	const lines = 20_000
	impl := Launch(LauncherFunc(func(_ context.Context, s *Step) error {
		for i := range lines {
			fmt.Fprintf(s.Stdout, "line %d\n", i)
		}
		fmt.Fprint(s.Stderr, "no newline")
		return nil
	}))
	c := serveTest(t, launcherManifest, impl)
	h := launchStep(t, c, dir, nil).GetAccepted().GetHandle()
	read := func(c operatorv1.StepOperatorClient) *received {
		r := newReceived()
		s, err := c.Logs(testContext(t), &operatorv1.LogsRequest{Target: launchTarget(), Handle: h, Key: testKey, Follow: true})
		require.NoError(t, err)
		r.read(t, s, nil)
		return r
	}
	var want strings.Builder
	for i := range lines {
		fmt.Fprintf(&want, "line %d\n", i)
	}
	for _, c := range []operatorv1.StepOperatorClient{c, serveTest(t, launcherManifest, Launch(LauncherFunc(nil)))} {
		r := read(c)
		assert.Equal(t, want.String(), string(r.data["1/0/0//stdout"]))
		assert.Equal(t, "no newline", string(r.data["1/0/0//stderr"]))
		assert.Equal(t, map[string]bool{"1/0/0//stdout": true, "1/0/0//stderr": true}, r.ended)
	}
	_, err := c.Cleanup(testContext(t), &operatorv1.CleanupRequest{
		Target: launchTarget(), Key: testKey, Handle: h, What: operatorv1.CleanupRequest_WHAT_RECORD})
	require.NoError(t, err)
	_, err = os.Stat(filepath.Join(dir, "launch-"+testKey))
	assert.ErrorIs(t, err, os.ErrNotExist)
}
