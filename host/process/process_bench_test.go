//go:build linux

package process

import (
	"context"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkStart is exec to first answer (GetMetadata, compared) and the orderly
// end, for each kind of protection. The variants are interleaved start by start
// within one benchmark, because a shared machine drifts more from second to
// second than they differ; it reports the mean of each in milliseconds.
func BenchmarkStart(b *testing.B) {
	variants := []string{tlsNone, tlsMutual, tlsAuto}
	names := []string{"none", "mutual", "auto"}
	var start, stop [3]time.Duration
	m := NewManager(Options{HostVersion: "bench", SocketDir: b.TempDir(), Linger: time.Hour})
	defer m.Close(context.Background())
	b.ResetTimer()
	for range b.N {
		for i, tls := range variants {
			s := spec()
			s.TLS = tls
			began := time.Now()
			p, err := m.start(context.Background(), s)
			start[i] += time.Since(began)
			require.NoError(b, err)
			began = time.Now()
			require.NoError(b, p.stop(context.Background()))
			stop[i] += time.Since(began)
		}
	}
	ms := func(d time.Duration) float64 { return float64(d) / float64(b.N) / 1e6 }
	for i, name := range names {
		b.ReportMetric(ms(start[i]), "start-"+name+"-ms")
		b.ReportMetric(ms(stop[i]), "stop-"+name+"-ms")
	}
	b.ReportMetric(float64(start[1])/float64(start[0]), "mutual/none")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkBareExec is the same file started and ended without go-plugin, gRPC or
// TLS: what a start cannot be faster than.
func BenchmarkBareExec(b *testing.B) {
	for range b.N {
		cmd := exec.Command(pluginFile, "--mode=exit")
		_ = cmd.Run()
	}
}

// BenchmarkCall is one call to a running plugin.
func BenchmarkCall(b *testing.B) {
	r := newRig(b, func(o *Options) { o.Logger = nil })
	p := acquire(b, r, spec())
	b.ResetTimer()
	for range b.N {
		plan(b, p, "count", "x")
	}
}

// BenchmarkAcquire is Acquire and Release of a running plugin.
func BenchmarkAcquire(b *testing.B) {
	r := newRig(b, func(o *Options) { o.Logger = nil })
	acquire(b, r, spec())
	ctx := context.Background()
	b.ResetTimer()
	for range b.N {
		p, err := r.Acquire(ctx, spec())
		require.NoError(b, err)
		p.Release()
	}
}
