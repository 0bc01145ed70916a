//go:build linux

package process

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stephost/stephost/internal/gobuild"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// hang is how long a test waits for what must happen.
const hang = 30 * time.Second

// pluginFile is the plugin under test, a real program: testflavor of package
// serve, built once.
var pluginFile string

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == relayMode {
		os.Exit(beRelay(os.Args[2]))
	}
	if os.Getenv(hostMode) != "" {
		os.Exit(beHost())
	}
	dir, err := os.MkdirTemp("", "stephost-process-test")
	if err == nil {
		pluginFile = filepath.Join(dir, "testflavor")
		if raceEnabled {
			// The detector of the plugin sleeps a second before every exit.
			os.Setenv("GORACE", "atexit_sleep_ms=0")
		}
		err = gobuild.Build(context.Background(), gobuild.Program{
			Pkg: "github.com/stephost/stephost/pluginsdk/internal/serve/testflavor", Out: pluginFile, Race: raceEnabled})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "building the plugin under test:", err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(dir)
		os.Exit(code)
	}))
}

// logBuffer is a host's log.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// rig is a Manager under test with its log.
type rig struct {
	*Manager
	log     *logBuffer
	sockets string
}

func newRig(t testing.TB, change ...func(*Options)) *rig {
	t.Helper()
	// Not t.TempDir: a test's name makes it too long for a socket path.
	dir, err := os.MkdirTemp("", "sp")
	require.NoError(t, err)
	r := &rig{log: &logBuffer{}, sockets: filepath.Join(dir, "s")}
	o := Options{
		HostVersion: "0.0.1", SocketDir: r.sockets,
		Logger: hclog.New(&hclog.LoggerOptions{Output: r.log, Level: hclog.Trace}),
	}
	for _, f := range change {
		f(&o)
	}
	r.Manager = NewManager(o)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), hang)
		defer cancel()
		require.NoError(t, r.Close(ctx))
		left, _ := filepath.Glob(filepath.Join(r.sockets, "*"))
		require.Empty(t, left, "sockets left behind")
		os.RemoveAll(dir)
		if t.Failed() {
			t.Log(r.log.String())
		}
	})
	return r
}

// spec is the plugin under test, started with args.
func spec(args ...string) Spec {
	return Spec{
		Flavor: "test", Version: "1.2.3", ManifestDigest: "sha256:00",
		PassEnv: []string{"GORACE"},
		Executable: func(context.Context) (*Executable, error) {
			return &Executable{Argv: append([]string{pluginFile}, args...)}, nil
		},
	}
}

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	t.Cleanup(cancel)
	return ctx
}

func acquire(t testing.TB, r *rig, s Spec) *Plugin {
	t.Helper()
	p, err := r.Acquire(within(t), s)
	require.NoError(t, err)
	t.Cleanup(p.Release)
	return p
}

func tryPlan(t testing.TB, p *Plugin, argv ...string) (string, error) {
	t.Helper()
	ctx := within(t)
	resp, err := p.Client().Plan(ctx, &operatorv1.PlanRequest{Step: &operatorv1.Step{Argv: argv}})
	return resp.GetRequest(), p.Explain(ctx, err)
}

func plan(t testing.TB, p *Plugin, argv ...string) string {
	t.Helper()
	text, err := tryPlan(t, p, argv...)
	require.NoError(t, err)
	return text
}

// eventually waits for a condition without guessing how long it takes.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	until := time.Now().Add(hang)
	for !ok() {
		if time.Now().After(until) {
			t.Fatalf("not within %s: %s", hang, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func ended(t testing.TB, p *Plugin) error {
	t.Helper()
	select {
	case <-p.Done():
		return p.Err()
	case <-time.After(hang):
		t.Fatal("the plugin does not end")
		return nil
	}
}

func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(state, "Z")
}
