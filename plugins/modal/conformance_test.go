//go:build linux

package main

import (
	"testing"

	"github.com/stephost/stephost/pluginsdk/plugintest"
	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/cloudtest"
)

// TestConformance runs the whole suite against the fake, on the newer backend,
// and what differs there on the older one.
func TestConformance(t *testing.T) {
	for backend, how := range map[string]struct {
		create string
		only   []string
		waive  map[string]string
	}{
		"v2": {create: "SandboxCreateV2"},
		"v1": {
			create: "SandboxCreate", only: []string{"run.", "submit.", "find.", "watch.", "cancel.", "logs.", "backend."},
			waive: map[string]string{"logs.bytes": "the older backend keeps output as text (TaskLogs.data is a string)"},
		},
	} {
		t.Run(backend, func(t *testing.T) {
			b := newBackend(t)
			cloudtest.Conform(t, "modal", b.Fake, how.create, cloudfake.Life{LogsLateMS: 100}, plugintest.Config{
				Operator: operator("output_volume", "results"), Settings: map[string]any{"backend": backend}, Image: image, Only: how.only, Waive: how.waive,
			})
		})
	}
}
