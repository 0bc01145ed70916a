//go:build unix

package fault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/stephost/stephost/host/process"
	"github.com/stephost/stephost/pluginsdk"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"github.com/stephost/stephost/test/fault"
	"github.com/stephost/stephost/test/fault/manifests"
	"github.com/stephost/stephost/test/fault/wire"
)

// helloEnv makes the test binary a flavor of the small kind.
const helloEnv = "STEPHOST_TEST_HELLO"

const helloManifest = `flavor "hello" {
  version      = "0.1.0"
  protocol     = [1]
  capabilities = ["find", "logs", "cancel", "cleanup"]
  submission {
    idempotency = "key"
  }
}
`

func TestMain(m *testing.M) {
	if os.Getenv(helloEnv) != "" {
		pluginsdk.Main([]byte(helloManifest), pluginsdk.Launch(pluginsdk.LauncherFunc(hello)))
	}
	goleak.VerifyTestMain(m)
}

func hello(ctx context.Context, s *pluginsdk.Step) error {
	cmd := exec.CommandContext(ctx, s.Argv[0], s.Argv[1:]...)
	cmd.Stdout, cmd.Stderr = s.Stdout, s.Stderr
	return cmd.Run()
}

const hang = time.Minute

// start starts a plugin process the way the host does.
func start(t *testing.T, ctx context.Context, flavor, path string, passEnv ...string) *process.Plugin {
	t.Helper()
	m := process.NewManager(process.Options{})
	t.Cleanup(func() { assert.NoError(t, m.Close(context.Background())) })
	return acquire(t, ctx, m, flavor, path, passEnv...)
}

func acquire(t *testing.T, ctx context.Context, m *process.Manager, flavor, path string, passEnv ...string) *process.Plugin {
	t.Helper()
	p, err := m.Acquire(ctx, process.Spec{
		Flavor: flavor, Version: "0.1.0", PassEnv: passEnv,
		Executable: func(context.Context) (*process.Executable, error) {
			return &process.Executable{Argv: []string{path}}, nil
		},
	})
	require.NoError(t, err)
	t.Cleanup(p.Release)
	return p
}

func request(t *testing.T, socket string, n int, argv ...string) (*operatorv1.Target, *operatorv1.Step) {
	t.Helper()
	target := &operatorv1.Target{Operator: "op", Config: &operatorv1.Values{Json: []byte(`{}`)}}
	step := &operatorv1.Step{
		RunId: "run", RunToken: "token", Attempt: 1, Name: "train", Argv: argv, RunDir: t.TempDir(),
		Key: fmt.Sprintf("key%023d", n), Settings: &operatorv1.Values{Json: []byte(`{}`)},
	}
	if socket != "" {
		config, err := json.Marshal(map[string]any{"socket": socket, "account": nil})
		require.NoError(t, err)
		target.Config.Json = config
		step.Settings.Json = []byte(`{"noop":false,"lines":0,"noop_ms":0,"faults":null}`)
	}
	return target, step
}

func verdict(t *testing.T, ctx context.Context, c operatorv1.StepOperatorClient, target *operatorv1.Target, key string, h *operatorv1.Handle) *operatorv1.Terminal {
	t.Helper()
	s, err := c.Watch(ctx, &operatorv1.WatchRequest{Target: target, Key: key, Handle: h, HeartbeatInterval: durationpb.New(time.Second)})
	require.NoError(t, err)
	for {
		m, err := s.Recv()
		require.NoError(t, err)
		if m.GetTerminal() != nil {
			return m.GetTerminal()
		}
	}
}

func programs(t *testing.T) (context.Context, *fault.Programs, *fault.Backend) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	t.Cleanup(cancel)
	p, err := fault.Build(ctx)
	require.NoError(t, err)
	b, err := p.Start(ctx, t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, b.Stop()) })
	return ctx, p, b
}

// The plugin dies in the middle of a Submit. Nothing is known but what the
// backend knows, and the next plugin process finds exactly that.
func TestThePluginIsKilledInSubmit(t *testing.T) {
	for when, want := range map[string]operatorv1.FindResponse_Outcome{
		"before": operatorv1.FindResponse_OUTCOME_ABSENT, "after": operatorv1.FindResponse_OUTCOME_FOUND} {
		t.Run(when, func(t *testing.T) {
			ctx, programs, backend := programs(t)
			path, err := programs.Install(t.TempDir(), manifests.Key)
			require.NoError(t, err)
			require.NoError(t, backend.ForAll(ctx, wire.Faults{KillPlugin: when}))
			m := process.NewManager(process.Options{})
			defer func() { assert.NoError(t, m.Close(context.Background())) }()
			p := acquire(t, ctx, m, "fault-key", path)
			witness := filepath.Join(t.TempDir(), "witness")
			target, step := request(t, backend.Socket, 1, "sh", "-c", `echo ran >> "$0"`, witness)
			_, err = p.Client().Submit(ctx, &operatorv1.SubmitRequest{Target: target, Step: step, RequestDigest: "d1"})
			require.Error(t, err)
			select {
			case <-p.Done():
			case <-ctx.Done():
				t.Fatal("the plugin was not killed")
			}
			var crash *process.CrashError
			require.ErrorAs(t, p.Err(), &crash)
			p.Release()

			p = acquire(t, ctx, m, "fault-key", path)
			found, err := p.Client().Find(ctx, &operatorv1.FindRequest{Target: target, By: &operatorv1.FindRequest_Key{Key: step.Key}})
			require.NoError(t, err)
			assert.Equal(t, want, found.GetOutcome())
			r, err := p.Client().Submit(ctx, &operatorv1.SubmitRequest{Target: target, Step: step, RequestDigest: "d1"})
			require.NoError(t, err)
			assert.Equal(t, when == "after", r.GetAccepted().GetExisting())
			end := verdict(t, ctx, p.Client(), target, step.Key, r.GetAccepted().GetHandle())
			assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.GetPhase())
			ran, err := os.ReadFile(witness)
			require.NoError(t, err)
			assert.Equal(t, "ran\n", string(ran), "once, by the step's own witness")
		})
	}
}

// Each variant starts as a process and says who it is.
func TestVariantsStart(t *testing.T) {
	ctx, programs, backend := programs(t)
	for i, v := range manifests.Variants() {
		path, err := programs.Install(t.TempDir(), v)
		require.NoError(t, err)
		p := start(t, ctx, manifests.Flavor(v), path)
		target, step := request(t, backend.Socket, i, "true")
		r, err := p.Client().Submit(ctx, &operatorv1.SubmitRequest{Target: target, Step: step})
		require.NoError(t, err)
		end := verdict(t, ctx, p.Client(), target, step.Key, r.GetAccepted().GetHandle())
		assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.GetPhase())
	}
	_, err := programs.Install(t.TempDir(), "nonsense")
	require.Error(t, err)
}

// The small kind as a real process: its log and verdict arrive, and its steps
// end with it, whether it ends in order or by SIGKILL.
func TestLauncherProcess(t *testing.T) {
	t.Setenv(helloEnv, "1")
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	self, err := os.Executable()
	require.NoError(t, err)
	m := process.NewManager(process.Options{Linger: -1})
	defer func() { assert.NoError(t, m.Close(context.Background())) }()

	p := acquire(t, ctx, m, "hello", self, helloEnv)
	target, step := request(t, "", 1, "sh", "-c", "echo hello; exit 3")
	r, err := p.Client().Submit(ctx, &operatorv1.SubmitRequest{Target: target, Step: step})
	require.NoError(t, err)
	h := r.GetAccepted().GetHandle()
	end := verdict(t, ctx, p.Client(), target, step.Key, h)
	assert.Equal(t, int32(3), end.GetExitCode())
	logs, err := p.Client().Logs(ctx, &operatorv1.LogsRequest{Target: target, Key: step.Key, Handle: h, Follow: true})
	require.NoError(t, err)
	var out strings.Builder
	for {
		m, err := logs.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		for _, e := range m.GetEntries() {
			out.Write(e.GetData())
		}
	}
	assert.Equal(t, "hello\n", out.String())

	for i, stop := range []func(p *process.Plugin){
		func(p *process.Plugin) { p.Release() },
		func(p *process.Plugin) { _ = syscall.Kill(p.PID(), syscall.SIGKILL) },
	} {
		p := p
		if i > 0 {
			p = acquire(t, ctx, m, "hello", self, helloEnv)
		}
		target, step := request(t, "", 10+i, "sleep", "1000")
		r, err := p.Client().Submit(ctx, &operatorv1.SubmitRequest{Target: target, Step: step})
		require.NoError(t, err)
		stop(p)
		select {
		case <-p.Done():
		case <-ctx.Done():
			t.Fatal("the plugin did not end")
		}
		p.Release()
		next := acquire(t, ctx, m, "hello", self, helloEnv)
		again, err := next.Client().Submit(ctx, &operatorv1.SubmitRequest{Target: target, Step: step})
		require.NoError(t, err)
		assert.True(t, again.GetAccepted().GetExisting())
		end := verdict(t, ctx, next.Client(), target, step.Key, r.GetAccepted().GetHandle())
		assert.Equal(t, operatorv1.Phase_PHASE_LOST, end.GetPhase())
		next.Release()
	}
}
