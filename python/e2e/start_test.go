package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/process"
	"github.com/stephost/stephost/host/registry"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// register registers a flavor and says how its process is started.
func register(t *testing.T, path string) (manager *process.Manager, spec process.Spec) {
	reg := registry.New(home.At(shortDir(t)), registry.Options{})
	f, err := reg.Register(context.Background(), path, registry.RegisterOptions{})
	require.NoError(t, err)
	m, err := f.Manifest(context.Background())
	require.NoError(t, err)
	manager = process.NewManager(process.Options{SocketDir: shortDir(t), Linger: -1})
	t.Cleanup(func() { assert.NoError(t, manager.Close(context.Background())) })
	return manager, process.Spec{
		Flavor: m.Name, Version: m.Version, ManifestDigest: m.Digest,
		Executable: func(ctx context.Context) (*process.Executable, error) {
			ex, err := reg.Executable(ctx, f)
			if err != nil {
				return nil, err
			}
			return &process.Executable{Argv: ex.Argv, Env: ex.Env, File: ex.File, Close: func() { _ = ex.Close() }}, nil
		},
	}
}

// TestStart measures exec to the first answer (GetMetadata), and the stop.
func TestStart(t *testing.T) {
	newVenv(t).use(t)
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	manager, spec := register(t, example)
	const rounds = 7
	var starts, calls, stops []time.Duration
	for range rounds {
		began := time.Now()
		p, err := manager.Acquire(ctx, spec)
		require.NoError(t, err)
		starts = append(starts, time.Since(began))
		assert.Equal(t, "stephost-python/0.1.0", p.Metadata().GetSdk())
		assert.Equal(t, spec.ManifestDigest, p.Metadata().GetManifestDigest())

		began = time.Now()
		_, err = p.Client().GetMetadata(ctx, &operatorv1.GetMetadataRequest{})
		require.NoError(t, err)
		calls = append(calls, time.Since(began))
		require.NoError(t, p.Ping(ctx))

		began = time.Now()
		p.Release()
		<-p.Done()
		stops = append(stops, time.Since(began))
	}
	median := func(d []time.Duration) time.Duration {
		slices.Sort(d)
		return d[len(d)/2].Round(10 * time.Microsecond)
	}
	t.Logf("median of %d: exec to first answer %s, one more call %s, stop %s", rounds, median(starts), median(calls), median(stops))
}

// TestLogThroughput measures a log on its way from the plugin to its host, without
// the host's spool.
func TestLogThroughput(t *testing.T) {
	newVenv(t).use(t)
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	manager, spec := register(t, example)
	p, err := manager.Acquire(ctx, spec)
	require.NoError(t, err)
	defer p.Release()
	const size = 50_000_000
	target := &operatorv1.Target{
		Operator: "op", FlavorVersion: spec.Version, ManifestDigest: spec.ManifestDigest,
		Config: &operatorv1.Values{Json: []byte(`{"slots":1}`)},
	}
	step := &operatorv1.Step{
		RunId: "run", RunToken: "token", Attempt: 1, Key: "abcdefghijklmnopqrstuvwxyz", RunDir: t.TempDir(),
		Argv:     []string{"sh", "-c", fmt.Sprintf(`head -c %d /dev/zero | tr '\0' 'x' | fold -w 99`, size)},
		Settings: &operatorv1.Values{Json: []byte(`{"progress":""}`)},
	}
	r, err := p.Client().Submit(ctx, &operatorv1.SubmitRequest{Target: target, Step: step, RequestDigest: "d"})
	require.NoError(t, err)
	require.NotNil(t, r.GetAccepted(), "%v", r)
	read := func() (bytes, messages int, took time.Duration) {
		began := time.Now()
		stream, err := p.Client().Logs(ctx, &operatorv1.LogsRequest{Target: target, Handle: r.GetAccepted().GetHandle(), Key: step.Key, Follow: true})
		require.NoError(t, err)
		for {
			m, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return bytes, messages, time.Since(began)
			}
			require.NoError(t, err)
			messages++
			for _, e := range m.GetEntries() {
				bytes += len(e.GetData())
			}
		}
	}
	for _, what := range []string{"while it is printed", "afterwards"} {
		bytes, messages, took := read()
		assert.Equal(t, size+size/99, bytes)
		t.Logf("%s: %d bytes in lines of 100, %d messages, %s: %.0f MB/s, %.1f million lines/s",
			what, bytes, messages, took.Round(time.Millisecond), float64(bytes)/1e6/took.Seconds(), float64(bytes)/1e8/took.Seconds())
	}
}
