package host_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/registry"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/runs/spool"
	"github.com/stephost/stephost/host/schema"
	"github.com/stephost/stephost/test/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hang ends what does not come back; it is no expectation of speed.
const hang = 2 * time.Minute

// world is a home with a fault flavor, an operator and a running backend.
type world struct {
	t       *testing.T
	ctx     context.Context
	home    home.Home
	backend *fault.Backend
}

func newWorld(t *testing.T, variant string) *world {
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	t.Cleanup(cancel)
	programs, err := fault.Build(ctx)
	require.NoError(t, err)
	b, err := programs.Start(ctx, t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, b.Stop()) })
	w := &world{t: t, ctx: ctx, home: home.At(t.TempDir()), backend: b}
	plugin, err := programs.Install(t.TempDir(), variant)
	require.NoError(t, err)
	h := w.host()
	_, err = h.Registry().Register(ctx, plugin, registry.RegisterOptions{})
	require.NoError(t, err)
	_, err = h.Registry().PutOperatorText(ctx, fmt.Appendf(nil, "operator \"op\" {\n  flavor = \"fault-%s\"\n  config {\n    socket = %q\n  }\n}\n", variant, b.Socket), registry.WriteOptions{})
	require.NoError(t, err)
	return w
}

// host is a new host process, as far as the store can tell.
func (w *world) host() *host.Host {
	h := host.New(host.Options{Home: w.home})
	w.t.Cleanup(func() { assert.NoError(w.t, h.Close(context.Background())) })
	return h
}

// selection is a step from HCL text.
func (w *world) selection(h *host.Host, step string) *host.Selection {
	p, _, err := h.Project(w.ctx, host.ProjectOptions{Dir: w.t.TempDir(), Files: []string{"-"}, Stdin: strings.NewReader(step)})
	require.NoError(w.t, err)
	sel, err := h.Select(w.ctx, host.StepRequest{Project: p, Step: p.StepOrder[0], Stage: schema.StageLaunch})
	require.NoError(w.t, err)
	require.NotNil(w.t, sel.Resolved)
	return sel
}

func (w *world) launch(h *host.Host, step, token string) (*host.Launched, *runs.Run, error) {
	l, err := h.Launch(w.ctx, host.LaunchRequest{Selection: w.selection(h, step), Token: token})
	require.NoError(w.t, err)
	r, err := l.Wait(w.ctx)
	return l, r, err
}

func (w *world) log(l *host.Session, stream string) string {
	reader, err := l.Log(w.ctx, spool.ReadOptions{})
	require.NoError(w.t, err)
	defer func() { _ = reader.Close() }()
	var b strings.Builder
	for {
		rec, err := reader.Next(w.ctx)
		if errors.Is(err, io.EOF) {
			return b.String()
		}
		require.NoError(w.t, err)
		if rec.Kind == spool.KindEntry && rec.Source.Stream == stream {
			b.Write(rec.Entry.Data)
		}
	}
}

func step(argv string, more string) string {
	return fmt.Sprintf("step \"train\" {\n  operator = \"op\"\n  command = %s\n%s\n}\n", argv, more)
}

func TestLaunch(t *testing.T) {
	for _, variant := range []string{"key", "search", "none"} {
		t.Run(variant, func(t *testing.T) {
			w := newWorld(t, variant)
			h := w.host()
			l, r, err := w.launch(h, step(`["sh", "-c", "echo hello; echo '::stephost value a=[1]'; echo oops >&2; exit 3"]`, ""), "")
			require.NoError(t, err)
			require.NotNil(t, r.Verdict)
			assert.Equal(t, runs.Closed, r.State)
			assert.Equal(t, "user", r.Verdict.Class)
			require.NotNil(t, r.Verdict.ExitCode)
			assert.Equal(t, 3, *r.Verdict.ExitCode)
			assert.Equal(t, "[1]", string(r.Values["a"]))
			assert.Equal(t, "hello\n::stephost value a=[1]\n", w.log(l.Session, "stdout"))
			assert.Equal(t, "oops\n", w.log(l.Session, "stderr"))
			assert.Equal(t, 3, host.ResultOf(r, err, 0).Exit)
			starts, err := w.backend.Starts(w.ctx)
			require.NoError(t, err)
			assert.Equal(t, map[string]int{r.Attempts[0].Key: 1}, starts)
		})
	}
}
