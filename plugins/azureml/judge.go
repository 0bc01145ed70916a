package main

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	ml "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"

	"github.com/stephost/stephost/pluginsdk"
)

// What the run history says about a failure has a code (UserError, ServiceError,
// ...) and a text. The codes are of its published error response; the texts are
// documented nowhere: what is looked for in them is an assumption.

// exited finds how the step's process ended: "exit codes: 7", "exited with
// status code 7".
var exited = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i)\bexit(?:ed)?\b[^0-9.;]{0,40}?(-?[0-9]+)`) })

func holds(text string, parts ...string) bool {
	text = strings.ToLower(text)
	for _, p := range parts {
		if strings.Contains(text, p) {
			return true
		}
	}
	return false
}

// quota tells a limit of the subscription, capacity a lack of machines.
func quota(text string) bool { return holds(text, "quota", "not enough cores", "core limit") }

func capacity(text string) bool {
	return holds(text, "capacity", "out of stock", "skunotavailable", "allocation failed", "allocationfailed", "insufficient resources")
}

// explain says why a job waits.
func explain(run *runDetails, s *pluginsdk.Status) {
	for _, w := range run.Warnings {
		switch {
		case quota(w.Message):
			s.Reason, s.Message = "QuotaExceeded", w.Message
			return
		case capacity(w.Message):
			s.Reason, s.Message = "InsufficientCapacity", w.Message
			return
		case w.Message != "":
			s.Message = w.Message
		}
	}
}

// judge fills in why a job ended.
func judge(job *ml.JobBase, run *runDetails, s *pluginsdk.Status) {
	code, text := "", ""
	if run.Error != nil {
		code, text = run.Error.Error.Code, run.Error.Error.Message
		if s.Phase != pluginsdk.Succeeded {
			s.Message = text
		}
	}
	fail := func(class pluginsdk.Class, reason string) {
		s.Phase, s.Class, s.Reason = pluginsdk.Failed, class, reason
	}
	switch s.Phase {
	case pluginsdk.Cancelled:
		// A limit of time ends a job in this state (CommandJobLimits.timeout: "after
		// which the job will be cancelled").
		if holds(text, "timeout", "timed out", "run duration") || text == "" && overtime(job, run) {
			fail(pluginsdk.ClassTimeout, "Timeout")
			if s.Message == "" {
				s.Message = "AzureML ended the job: it ran longer than limits.timeout, the step's run limit"
			}
		}
	case pluginsdk.Failed:
		if holds(text, "preempt", "evicted") {
			fail(pluginsdk.ClassPreempted, "Preempted")
			return
		}
		if m := exited().FindStringSubmatch(text); m != nil {
			n, _ := strconv.Atoi(m[1])
			const bySignal = 128
			if n < 0 {
				n = bySignal - n // Python's way to say a signal
			}
			fail(pluginsdk.ClassUser, "ExitCode")
			s.ExitCode = &n
			return
		}
		switch {
		case holds(text, "timeout", "timed out", "run duration"):
			fail(pluginsdk.ClassTimeout, "Timeout")
		case quota(text):
			fail(pluginsdk.ClassCapacity, "QuotaExceeded")
		case capacity(text):
			fail(pluginsdk.ClassCapacity, "InsufficientCapacity")
		case holds(text, "image") && holds(text, "pull", "not found", "unauthorized", "denied", "build"):
			fail(pluginsdk.ClassConfig, "ImagePullFailed")
		case code == "UserError":
			fail(pluginsdk.ClassUser, code)
		case code == "":
			fail(pluginsdk.ClassSystem, "Failed")
		default:
			fail(pluginsdk.ClassSystem, code)
		}
	}
}

// overtime tells whether a job used up its limit.
func overtime(job *ml.JobBase, run *runDetails) bool {
	command, ok := job.Properties.(*ml.CommandJob)
	if !ok || command.Limits == nil || run.Start.IsZero() || run.End.IsZero() {
		return false
	}
	limit, err := time.ParseDuration(strings.ToLower(strings.TrimPrefix(text(command.Limits.Timeout), "PT")))
	return err == nil && run.End.Sub(run.Start) >= limit
}
