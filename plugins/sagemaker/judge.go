package main

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/sagemaker"

	"github.com/stephost/stephost/pluginsdk"
)

// failure reads FailureReason. Its first word is SageMaker's class
// (https://docs.aws.amazon.com/sagemaker/latest/dg/model-train-troubleshooting.html):
//
//	AlgorithmError       the container ended with another code than 0: user
//	ClientError          what the request names cannot be had: config
//	CapacityError        there is no such instance just now: capacity
//	InternalServerError  the service itself: system
//
// The code stands behind "exit code:"; with the shim in the text that it left in
// the failure file.
func failure(d *api.DescribeTrainingJobOutput, s *pluginsdk.Status) {
	reason := aws.ToString(d.FailureReason)
	word, _, _ := strings.Cut(reason, ":")
	s.Reason = strings.TrimSpace(word)
	if len(s.Reason) > 60 || strings.ContainsAny(s.Reason, " \n") {
		s.Reason = string(d.SecondaryStatus)
	}
	lower := strings.ToLower(reason)
	switch {
	case strings.HasPrefix(reason, "CapacityError"), strings.Contains(lower, "insufficientinstancecapacity"):
		s.Class = pluginsdk.ClassCapacity
	case strings.Contains(lower, "resourcelimitexceeded"):
		s.Class, s.Reason = pluginsdk.ClassCapacity, "ResourceLimitExceeded"
	case strings.HasPrefix(reason, "InternalServerError"):
		s.Class = pluginsdk.ClassSystem
	case strings.HasPrefix(reason, "AlgorithmError"):
		stepFailed(reason, s)
	case strings.Contains(lower, "spot") && strings.Contains(lower, "interrupt"):
		s.Class = pluginsdk.ClassPreempted
	case strings.HasPrefix(reason, "ClientError"):
		// "ClientError: ... exit code" is an older form of AlgorithmError
		// (https://docs.aws.amazon.com/sagemaker/latest/dg/model-train-troubleshooting.html).
		s.Class = pluginsdk.ClassConfig
		if _, ok := exitCode(reason); ok {
			stepFailed(reason, s)
		}
	default:
		s.Class = pluginsdk.ClassSystem
	}
}

// stepFailed is the end of the step's own process.
func stepFailed(reason string, s *pluginsdk.Status) {
	s.Class = pluginsdk.ClassUser
	if code, signal, ok := pluginsdk.ParseExit(reason); ok {
		s.ExitCode, s.Signal = pluginsdk.Exit(code), signal
		const shimItself = 125 // the step never started
		if code == shimItself && signal == "" {
			s.Reason = "StepNotStarted"
		}
		return
	}
	if code, ok := exitCode(reason); ok {
		s.ExitCode = pluginsdk.Exit(code)
		const bySignal = 128
		if code == bySignal+9 {
			s.Signal, s.Reason = "SIGKILL", "Killed"
			s.Message += " (killed: often because the node's memory was used up)"
		}
	}
}

func exitCode(reason string) (int, bool) {
	m := regexp.MustCompile(`(?i)exit code:? *(\d{1,3})`).FindAllStringSubmatch(reason, -1)
	if m == nil {
		return 0, false
	}
	code, err := strconv.Atoi(m[len(m)-1][1])
	return code, err == nil
}
