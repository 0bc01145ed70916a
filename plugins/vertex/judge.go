package main

import (
	"regexp"
	"strconv"
	"strings"
	"sync"

	"cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"google.golang.org/grpc/codes"

	"github.com/stephost/stephost/pluginsdk"
)

// What Vertex AI says about a job that failed is a status of google.rpc with a
// text. The texts are not documented; those that are told apart here are quoted
// from public reports:
//
//   - code 3, "The replica workerpool0-0 exited with a non-zero status of 1.
//     Termination reason: Error.": GoogleCloudPlatform/vertex-ai-samples#1504
//   - "... non-zero status of 128. Termination reason: StartError. Termination log
//     message: failed to create containerd task": vertex-ai-samples#1898
//   - "... ran out-of-memory and exited with a non-zero status of 9(SIGKILL)":
//     tensorflow/models#5591
//   - code 8, "The following quota metrics exceed quota limits:
//     aiplatform.googleapis.com/custom_model_training_nvidia_k80_gpus":
//     vertex-ai-samples#700
//   - "Resources are insufficient in region: us-central1":
//     openreview/openreview-expertise#401
//   - a job whose Spot machines are taken away "fails with a STOCKOUT error":
//     https://cloud.google.com/vertex-ai/docs/training/use-spot-vms
//
// What else is looked for (timeout, pulls of images) is an assumption.

// exited finds how a replica ended.
var exited = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`non-zero status of (\d+)(?:\s*\((SIG[A-Z0-9]+)\))?`)
})

// judge fills in why a job ended.
func judge(job *aiplatformpb.CustomJob, st *pluginsdk.Status) {
	text := job.GetError().GetMessage()
	code := codes.Code(job.GetError().GetCode())
	st.Message = text
	low := strings.ToLower(text)
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(low, p) {
				return true
			}
		}
		return false
	}
	fail := func(class pluginsdk.Class, reason string) {
		st.Phase, st.Class, st.Reason = pluginsdk.Failed, class, reason
	}
	if job.GetState() == aiplatformpb.JobState_JOB_STATE_CANCELLED {
		// A limit of time may end a job in this state too (assumption).
		if code == codes.DeadlineExceeded || has("timeout", "timed out") {
			fail(pluginsdk.ClassTimeout, "Timeout")
		}
		return
	}
	if m := exited().FindStringSubmatch(text); m != nil {
		judgeExit(m, low, st)
		return
	}
	spot := job.GetJobSpec().GetScheduling().GetStrategy() == aiplatformpb.Scheduling_SPOT
	switch {
	case job.GetState() == aiplatformpb.JobState_JOB_STATE_EXPIRED, code == codes.DeadlineExceeded, has("timeout", "timed out"):
		fail(pluginsdk.ClassTimeout, "Timeout")
	case job.GetState() == aiplatformpb.JobState_JOB_STATE_PARTIALLY_SUCCEEDED:
		fail(pluginsdk.ClassSystem, "PartiallySucceeded")
	case has("preempt"), spot && has("stockout") && job.GetStartTime() != nil:
		fail(pluginsdk.ClassPreempted, "Preempted")
	case has("quota"):
		fail(pluginsdk.ClassCapacity, "QuotaExceeded")
	case code == codes.ResourceExhausted, has("stockout", "resources are insufficient", "insufficient resources"):
		fail(pluginsdk.ClassCapacity, "ResourcesInsufficient")
	case has("image") && has("pull", "not found", "permission", "denied"):
		fail(pluginsdk.ClassConfig, "ImagePullFailed")
	case code == codes.PermissionDenied || code == codes.InvalidArgument || code == codes.FailedPrecondition || code == codes.NotFound:
		fail(pluginsdk.ClassConfig, code.String())
	default:
		fail(pluginsdk.ClassSystem, code.String())
	}
}

// judgeExit reads the exit of a replica.
func judgeExit(m []string, low string, st *pluginsdk.Status) {
	n, _ := strconv.Atoi(m[1])
	st.Phase, st.Class, st.Reason = pluginsdk.Failed, pluginsdk.ClassUser, "NonZeroExit"
	if m[2] != "" {
		// The number in front of a signal's name is that of the signal.
		st.Signal = m[2]
		if n < 128 {
			n += 128
		}
	}
	st.ExitCode = pluginsdk.Exit(n)
	switch {
	case strings.Contains(low, "out-of-memory"), strings.Contains(low, "oomkilled"):
		st.Reason = "OutOfMemory"
	case strings.Contains(low, "starterror"), strings.Contains(low, "containercannotrun"):
		// The container's process was never started: what a person wrote as the
		// command is not in the image.
		st.Class, st.Reason = pluginsdk.ClassConfig, "StartError"
	}
}
