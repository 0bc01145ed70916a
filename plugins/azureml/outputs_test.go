package main

import (
	"testing"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"github.com/stephost/stephost/test/cloudfake"
)

func TestOutputsAreRead(t *testing.T) {
	newHarness(t).CheckOutputs("Blob.GetArtifact", func(end *operatorv1.Terminal) string {
		o := end.Outputs[0]
		return o.Location[:len(o.Location)-len(o.Name)]
	})
}

func TestArtifactOf(t *testing.T) {
	h := newHarness(t)
	s := h.Step("of", "true")
	handle := h.Accepted(s)
	job := h.JobOf(s.Key).Name
	for location, want := range map[string]operatorv1.Class{
		"azureml://jobs/" + job + "/outputs/artifacts/paths/outputs/none":           operatorv1.Class_CLASS_LOST,
		"azureml://jobs/" + job + "/outputs/artifacts/paths/outputs2/none":          operatorv1.Class_CLASS_CONFIG,
		"azureml://jobs/" + job + "/outputs/artifacts/paths/user_logs/std_log.txt":  operatorv1.Class_CLASS_CONFIG,
		"azureml://jobs/" + job + "x/outputs/artifacts/paths/outputs/none":          operatorv1.Class_CLASS_CONFIG,
		"https://example.com/jobs/" + job + "/outputs/artifacts/paths/outputs/none": operatorv1.Class_CLASS_CONFIG,
	} {
		h.CheckNoOutput(s.Key, handle, location, want)
	}
}

// A signature that ends between list and read is asked for anew.
func TestSignatureEndsBeforeTheRead(t *testing.T) {
	h := newHarness(t)
	s := h.Step("signed", `printf x > "$STEPHOST_OUTPUT_DIR/x"`)
	handle := h.Accepted(s)
	end, _ := h.Watch(s.Key, handle)
	h.Rule("Blob.GetArtifact", 1, cloudfake.Fault{Kind: cloudfake.Denied})
	h.CheckOutput(s.Key, handle, end.Outputs[0].Location, "x")
}
