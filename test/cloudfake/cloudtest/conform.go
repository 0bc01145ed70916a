//go:build linux

package cloudtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/pluginsdk/plugintest"
	"github.com/stephost/stephost/test/cloudfake"
)

const (
	// floodTimeout bounds the longest check, a flood of 1.4 million lines, each of
	// them an entry of a log store.
	floodTimeout = 10 * time.Minute
	// slowSubmit is between the suite's one and five seconds, queued some minutes.
	slowSubmit = 2 * time.Second
	queued     = 3 * time.Minute
)

// Conform runs the whole conformance suite on the shipped plugin and the fake.
// create is the fake's name for the creating call, usual what every job meets: a
// log that comes late. The rest of c is the flavor's: Operator, Image, Only,
// Waive.
func Conform(t *testing.T, name string, fake *cloudfake.Fake, create string, usual cloudfake.Life, c plugintest.Config) {
	var err error
	c.Plugin, err = BuildPlugin(context.Background(), name)
	require.NoError(t, err)
	b := &befalls{fake: fake, create: create, usual: usual}
	c.Tier, c.Shim, c.Witness, c.JobTimeout = plugintest.Full, true, t.TempDir(), floodTimeout
	c.List, c.Delete, c.Fault = b.list, b.remove, b.befall
	plugintest.Run(t, c)
}

type befalls struct {
	fake   *cloudfake.Fake
	create string
	usual  cloudfake.Life
}

func (b *befalls) list(ctx context.Context, key string) ([]string, error) {
	jobs, err := b.fake.ByKey(ctx, key)
	var names []string
	for _, j := range jobs {
		names = append(names, j.Name)
	}
	return names, err
}

func (b *befalls) remove(ctx context.Context, job plugintest.Job) error {
	return b.fake.Delete(ctx, job.NativeName)
}

// befall plays the suite's faults.
func (b *befalls) befall(ctx context.Context, f plugintest.Fault) error {
	if err := b.fake.Clear(ctx); err != nil {
		return err
	}
	creating := func(f cloudfake.Fault) error {
		return b.fake.Add(ctx, cloudfake.Rule{Op: b.create, Times: 1, Fault: f})
	}
	switch f {
	case plugintest.NoFault:
		return b.fake.AddLife(ctx, cloudfake.LifeRule{Life: b.usual})
	case plugintest.ReplyLost:
		return creating(cloudfake.Fault{Kind: cloudfake.ReplyLost})
	case plugintest.SlowSubmit:
		return creating(cloudfake.Fault{Kind: cloudfake.Slow, DelayMS: int(slowSubmit.Milliseconds())})
	case plugintest.Queued:
		return b.fake.AddLife(ctx, cloudfake.LifeRule{Times: 1, Life: cloudfake.Life{QueuedMS: int(queued.Milliseconds())}})
	case plugintest.Unreachable:
		return b.fake.Add(ctx, cloudfake.Rule{Fault: cloudfake.Fault{Kind: cloudfake.Drop}})
	}
	return errors.ErrUnsupported
}
