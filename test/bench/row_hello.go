package main

import (
	"context"
	"fmt"
	"time"

	"github.com/stephost/stephost/host/process"
	"github.com/stephost/stephost/internal/version"
	"github.com/stephost/stephost/test/bench/internal/lab"
	"github.com/stephost/stephost/test/bench/internal/stats"
)

// The values of process.Spec.TLS. "none" is known to package process for
// benchmarks alone; were it renamed there, the plugin would refuse to start.
const (
	tlsNone   = "none, for benchmarks"
	tlsMutual = ""
	tlsAuto   = "auto"
)

// helloBound ends a start that hangs.
const helloBound = 30 * time.Second

// benchHello measures exec to first answer (GetMetadata, compared) for each kind
// of protection, with the local flavor's own file.
func benchHello(ctx context.Context, b *bench) error {
	sockets, err := b.TempDir("s")
	if err != nil {
		return err
	}
	var bare, none, mutual, auto stats.Sample
	for range b.n {
		for _, v := range []struct {
			tls string
			to  *stats.Sample
		}{{tlsNone, &none}, {tlsMutual, &mutual}, {tlsAuto, &auto}} {
			took, err := hello(ctx, sockets, "local", b.Local, v.tls)
			if err != nil {
				return err
			}
			*v.to = append(*v.to, took)
		}
		ran, err := b.Run(ctx, lab.Command{Argv: []string{b.Local, "version"}})
		if err != nil {
			return err
		}
		bare = append(bare, lab.Milliseconds(ran.Wall))
	}
	ratio := stats.Ratios(mutual, none)
	b.addMS("exec of the same file: `version`, whole", bare)
	b.addMS("start to first answer, no TLS", none)
	b.addMS("start to first answer, mutual TLS (what stephost does)", mutual)
	b.addMS("start to first answer, go-plugin's AutoMTLS", auto)
	b.addGoal("mutual TLS / no TLS", ratio, "x", "<= 1.5", ratio.Median() <= 1.5)
	b.addGoal("AutoMTLS / no TLS", stats.Ratios(auto, none), "x", "", false)
	return nil
}

// hello starts a plugin and ends it; what it returns is the start alone.
func hello(ctx context.Context, sockets, flavor, path, tls string) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, helloBound)
	defer cancel()
	m := process.NewManager(process.Options{HostVersion: version.Version, SocketDir: sockets})
	began := time.Now()
	p, err := m.Acquire(ctx, process.Spec{
		Flavor: flavor, Version: version.Version, TLS: tls,
		Executable: func(context.Context) (*process.Executable, error) {
			return &process.Executable{Argv: []string{path}}, nil
		},
	})
	took := lab.Milliseconds(time.Since(began))
	if err != nil {
		return 0, err
	}
	p.Release()
	if err := m.Close(ctx); err != nil {
		return 0, fmt.Errorf("ending the plugin: %w", err)
	}
	return took, nil
}
