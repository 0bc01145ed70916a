package host_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/registry"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/schema"
	"github.com/stephost/stephost/test/fault"
)

// starting selects a step and starts its plugin meanwhile, as the command line does.
func (w *world) starting(h *host.Host, step string) (*host.Selection, error) {
	p, _, err := h.Project(w.ctx, host.ProjectOptions{Dir: w.t.TempDir(), Files: []string{"-"}, Stdin: strings.NewReader(step)})
	require.NoError(w.t, err)
	h.Warm()
	return h.Select(w.ctx, host.StepRequest{Project: p, Step: p.StepOrder[0], Stage: schema.StageLaunch, Chosen: h.Start})
}

// TestStart: the launch goes on with the plugin that was checked and started while its
// step was resolved, and neither it nor the run's drive looks for the file again.
func TestStart(t *testing.T) {
	w := newWorld(t, "key")
	h := w.host()
	sel, err := w.starting(h, step(`["true"]`, ""))
	require.NoError(t, err)
	stored := sel.Flavor.Artifact.Path
	require.NoError(t, os.Chmod(filepath.Dir(stored), 0o700))
	require.NoError(t, os.Rename(stored, stored+".aside"))
	l, err := h.Launch(w.ctx, host.LaunchRequest{Selection: sel})
	require.NoError(t, err, "it was checked already")
	r, err := l.Wait(w.ctx)
	require.NoError(t, err)
	require.NotNil(t, r.Verdict)
	assert.Equal(t, runs.ClassSucceeded, r.Verdict.Class)
}

// TestStartOfAWrongStep: Close ends what was started, and nothing was launched. What
// cannot be started is the selection's error.
func TestStartOfAWrongStep(t *testing.T) {
	w := newWorld(t, "key")
	h := w.host()
	_, err := w.starting(h, step(`["true"]`, "  settings {\n    nope = 1\n  }"))
	require.ErrorContains(t, err, "nope")
	require.NoError(t, h.Close(context.Background()))

	programs, err := fault.Build(w.ctx)
	require.NoError(t, err)
	plugin, err := programs.Install(t.TempDir(), "none")
	require.NoError(t, err)
	h = w.host()
	_, err = h.Registry().Register(w.ctx, plugin+".flavor.hcl", registry.RegisterOptions{})
	require.NoError(t, err)
	_, err = h.Registry().PutOperatorText(w.ctx, []byte("operator \"alone\" {\n  flavor = \"fault-none\"\n  config {\n    socket = \"/s\"\n  }\n}\n"), registry.WriteOptions{})
	require.NoError(t, err)
	_, err = w.starting(h, strings.Replace(step(`["true"]`, ""), `"op"`, `"alone"`, 1))
	assert.ErrorContains(t, err, "flavor fault-none")
}
