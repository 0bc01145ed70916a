package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

func TestOutputsAreRead(t *testing.T) {
	newHarness(t, true).CheckOutputs("GetObject", func(end *operatorv1.Terminal) string {
		o := end.Outputs[0]
		at, ok := strings.CutSuffix(o.Location, o.Name)
		require.True(t, ok)
		return at
	})
}

// Of the bucket only what this very job left is read: not the markers, not what
// begins like it.
func TestObjectOf(t *testing.T) {
	h := newHarness(t, true)
	s := h.Step("of", "true")
	handle := h.Accepted(s)
	for location, want := range map[string]operatorv1.Class{
		"gs://fake-bucket/stephost/outputs/" + s.Key + "/none":  operatorv1.Class_CLASS_LOST,
		"gs://fake-bucket/stephost/outputs/" + s.Key + "x/none": operatorv1.Class_CLASS_CONFIG,
		"gs://fake-bucket/stephost/keys/" + s.Key:               operatorv1.Class_CLASS_CONFIG,
		"gs://other/stephost/outputs/" + s.Key + "/none":        operatorv1.Class_CLASS_CONFIG,
		"gs://": operatorv1.Class_CLASS_CONFIG,
	} {
		h.CheckNoOutput(s.Key, handle, location, want)
	}
}

// Without a bucket there is no place for outputs, and so none to read.
func TestNoBucketNoOutputs(t *testing.T) {
	h := newHarness(t, false)
	s := h.Step("none", "true")
	h.CheckNoOutput(s.Key, h.Accepted(s), "gs:///stephost/outputs/"+s.Key+"/x", operatorv1.Class_CLASS_CONFIG)
}
