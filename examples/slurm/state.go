package main

import (
	"fmt"
	"syscall"
	"time"

	"github.com/stephost/stephost/pluginsdk"
)

// statusOf puts Slurm's word and the record's together.
func statusOf(r record, v view) (pluginsdk.Status, error) {
	s := pluginsdk.Status{
		NativeState: v.state, Reason: reason(v.reason), Restarts: v.restarts, StartedAt: v.start, EndedAt: v.end,
	}
	switch v.state {
	case "PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT":
		s.Phase, s.PhaseSince = pluginsdk.Queued, v.submit
	case "CONFIGURING":
		s.Phase = pluginsdk.Provisioning
	case "RUNNING", "SIGNALING", "STAGE_OUT", "STOPPED", "SUSPENDED", "RESIZING", "COMPLETING":
		// COMPLETING is not over: processes of the step may still be there.
		s.Phase, s.PhaseSince = pluginsdk.Running, v.start
	case "COMPLETED":
		s.Phase, s.ExitCode = pluginsdk.Succeeded, pluginsdk.Exit(0)
	case "CANCELLED", "REVOKED":
		s.Phase = pluginsdk.Cancelled
	case "FAILED", "OUT_OF_MEMORY", "TIMEOUT", "DEADLINE", "PREEMPTED", "NODE_FAIL", "BOOT_FAIL":
		return failed(s, r, v)
	}
	if r.has("cancel") && s.Phase != 0 && !s.Phase.Terminal() {
		s.Phase = pluginsdk.Cancelling
	}
	if !s.Phase.Terminal() {
		// Of such a job squeue shows when it would start, or reach its limit.
		s.StartedAt, s.EndedAt = time.Time{}, time.Time{}
	}
	return s, nil
}

// failed finds out whose matter a failure is.
func failed(s pluginsdk.Status, r record, v view) (pluginsdk.Status, error) {
	s.Phase = pluginsdk.Failed
	switch v.state {
	case "OUT_OF_MEMORY":
		s.Class, s.Reason, s.Message = pluginsdk.ClassUser, "OutOfMemory", "the step used more memory than it asked for"
		return s, nil
	case "TIMEOUT", "DEADLINE":
		s.Class, s.Message = pluginsdk.ClassTimeout, "Slurm's limit of time for the job is over"
		return s, nil
	case "PREEMPTED":
		s.Class, s.Message = pluginsdk.ClassPreempted, "Slurm gave the node to a job of higher priority"
		return s, nil
	case "NODE_FAIL", "BOOT_FAIL":
		s.Class, s.Message = pluginsdk.ClassSystem, "the node failed"
		return s, nil
	}
	if r.has("cancel") {
		// A hard end is a signal to Slurm, and a failure.
		s.Phase = pluginsdk.Cancelled
		return s, nil
	}
	why, err := r.text("failed")
	if err != nil {
		return s, pluginsdk.Unreachable(err)
	}
	switch {
	case why != "":
		s.Class, s.Reason, s.Message = pluginsdk.ClassConfig, "NotStarted", why
	case v.start.IsZero() || v.reason == "BadConstraints":
		s.Class, s.Message = pluginsdk.ClassConfig, "Slurm cannot run such a job: "+v.reason
	case v.signal != 0:
		// The batch script itself was killed, and the step with it.
		s.Class, s.Signal = pluginsdk.ClassSystem, signalName(v.signal)
		s.Message = "the job was ended by " + s.Signal
	default:
		s.Class, s.ExitCode = pluginsdk.ClassUser, pluginsdk.Exit(v.code)
	}
	return s, nil
}

// forgotten judges a job that Slurm was asked about and knows no longer.
func forgotten(r record) (pluginsdk.Status, error) {
	s := pluginsdk.Status{NativeState: "forgotten", Reason: "Forgotten"}
	if r.has("cancel") {
		s.Phase = pluginsdk.Cancelled
		return s, nil
	}
	why, err := r.text("failed")
	if err != nil {
		return s, pluginsdk.Unreachable(err)
	}
	if why != "" {
		s.Phase, s.Class, s.Reason, s.Message = pluginsdk.Failed, pluginsdk.ClassConfig, "NotStarted", why
		return s, nil
	}
	code, ok, err := r.exit()
	switch {
	case err != nil:
		return s, pluginsdk.Unreachable(err)
	case !ok:
		s.Phase, s.Message = pluginsdk.Lost, "Slurm knows the job no longer, and the step left no exit code"
	case code == 0:
		s.Phase, s.ExitCode = pluginsdk.Succeeded, pluginsdk.Exit(0)
	default:
		s.Phase, s.Class, s.ExitCode = pluginsdk.Failed, pluginsdk.ClassUser, pluginsdk.Exit(code)
	}
	return s, nil
}

// reason drops Slurm's words for "no reason".
func reason(word string) string {
	if word == "None" || word == "(null)" {
		return ""
	}
	return word
}

func signalName(n int) string {
	switch s := syscall.Signal(n); s {
	case syscall.SIGKILL:
		return "SIGKILL"
	case syscall.SIGTERM:
		return "SIGTERM"
	case syscall.SIGSEGV:
		return "SIGSEGV"
	case syscall.SIGABRT:
		return "SIGABRT"
	}
	return fmt.Sprintf("signal %d", n)
}
