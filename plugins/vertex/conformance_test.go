//go:build linux

package main

import (
	"testing"

	"github.com/stephost/stephost/pluginsdk/plugintest"
	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/cloudtest"
)

// TestConformance runs the whole suite against the fake, with markers and
// (what depends on it) without, on a log that comes late and out of order.
func TestConformance(t *testing.T) {
	for name, how := range map[string]struct {
		bucket bool
		only   []string
	}{"markers": {bucket: true}, "labels": {only: []string{"run.", "submit.", "find.", "scope.", "cancel.early"}}} {
		t.Run(name, func(t *testing.T) {
			c := newBackend(t)
			cloudtest.Conform(t, "vertex", c.Fake, "CreateCustomJob", cloudfake.Life{LogsLateMS: 300, LogsShuffled: true}, plugintest.Config{
				Operator: c.operator(how.bucket), Image: image, Only: how.only,
				Waive: map[string]string{
					"logs.bytes": "Cloud Logging keeps text of at most 256 KiB an entry, and whether the last line had a newline is not kept",
				},
			})
		})
	}
}
