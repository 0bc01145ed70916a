//go:build linux

package main

import (
	"testing"

	"github.com/stephost/stephost/pluginsdk/plugintest"
	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/cloudtest"
)

// TestConformance runs the whole suite against the fake, on a log that comes
// late.
func TestConformance(t *testing.T) {
	c := newBackend(t)
	cloudtest.Conform(t, "sagemaker", c.Fake, "CreateTrainingJob", cloudfake.Life{LogsLateMS: 200}, plugintest.Config{
		Operator: c.operator(), Image: image,
		Waive: map[string]string{
			"logs.bytes": "CloudWatch keeps text in events of a limited size, and not whether the last line had a newline",
		},
	})
}
