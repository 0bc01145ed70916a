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
	cloudtest.Conform(t, "azureml", c.Fake, "JobsClient.CreateOrUpdate", cloudfake.Life{LogsLateMS: 200}, plugintest.Config{
		Operator: c.operator(), Image: image,
	})
}
