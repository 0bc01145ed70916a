//go:build linux

package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/pluginsdk/plugintest"
	"github.com/stephost/stephost/test/cloudfake"
)

// jobTimeout bounds the longest check, a flood of lines.
const jobTimeout = 5 * time.Minute

// TestConformance runs the whole suite against the fake, on a log that comes
// late.
func TestConformance(t *testing.T) {
	plugin, err := cloudfake.Build(context.Background(), ".", ".", "stephost-flavor-azureml")
	require.NoError(t, err)
	c := newCloud(t)
	plugintest.Run(t, plugintest.Config{
		Plugin: plugin, Tier: plugintest.Full, Operator: c.operator(), Image: image, Shim: true,
		Witness: t.TempDir(), List: c.list, Delete: c.remove, Fault: c.befall, JobTimeout: jobTimeout,
	})
}

func (c *azure) list(ctx context.Context, key string) ([]string, error) {
	jobs, err := c.ByKey(ctx, key)
	var names []string
	for _, j := range jobs {
		names = append(names, j.Name)
	}
	return names, err
}

func (c *azure) remove(ctx context.Context, job plugintest.Job) error {
	return c.Delete(ctx, job.NativeName)
}

// befall plays the suite's faults.
func (c *azure) befall(ctx context.Context, f plugintest.Fault) error {
	if err := c.Clear(ctx); err != nil {
		return err
	}
	switch f {
	case plugintest.NoFault:
		return c.AddLife(ctx, cloudfake.LifeRule{Life: cloudfake.Life{LogsLateMS: 200}})
	case plugintest.ReplyLost:
		return c.Add(ctx, cloudfake.Rule{Op: "JobsClient.CreateOrUpdate", Times: 1, Fault: cloudfake.Fault{Kind: cloudfake.ReplyLost}})
	case plugintest.SlowSubmit:
		return c.Add(ctx, cloudfake.Rule{Op: "JobsClient.CreateOrUpdate", Times: 1, Fault: cloudfake.Fault{Kind: cloudfake.Slow, DelayMS: 2000}})
	case plugintest.Queued:
		return c.AddLife(ctx, cloudfake.LifeRule{Times: 1, Life: cloudfake.Life{QueuedMS: 180_000}})
	case plugintest.Unreachable:
		return c.Add(ctx, cloudfake.Rule{Fault: cloudfake.Fault{Kind: cloudfake.Drop}})
	}
	return errors.ErrUnsupported
}
