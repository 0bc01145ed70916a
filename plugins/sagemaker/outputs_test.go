package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

func TestOutputsAreRead(t *testing.T) {
	newHarness(t).CheckOutputs("GetObject", func(end *operatorv1.Terminal) string {
		at, _, ok := strings.Cut(end.Outputs[0].Location, "/output/model/")
		require.True(t, ok)
		return at + "/output/model/"
	})
}

// What S3 has in the list of a job may be called as its writer liked; which jobs
// an address is of is told by the whole name of the job.
func TestObjectOf(t *testing.T) {
	h := newHarness(t)
	s := h.Step("of", "true")
	handle := h.Accepted(s)
	for location, want := range map[string]operatorv1.Class{
		"s3://b/p/stephost-" + s.Key + "/output/model/none":  operatorv1.Class_CLASS_LOST,
		"s3://b/stephost-" + s.Key + "/output/model/none":    operatorv1.Class_CLASS_LOST,
		"s3://b/p/stephost-" + s.Key + "x/output/model/none": operatorv1.Class_CLASS_CONFIG,
		"s3://b/p/xstephost-" + s.Key + "/output/none":       operatorv1.Class_CLASS_CONFIG,
		"s3://b/p/stephost-" + s.Key + "/source/none":        operatorv1.Class_CLASS_CONFIG,
		"s3://b": operatorv1.Class_CLASS_CONFIG,
		"gs://b/p/stephost-" + s.Key + "/output/none": operatorv1.Class_CLASS_CONFIG,
	} {
		h.CheckNoOutput(s.Key, handle, location, want)
	}
}
