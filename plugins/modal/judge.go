package main

import (
	"strings"

	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"

	"github.com/stephost/stephost/pluginsdk"
)

// bySignal begins the exit codes of processes that a signal ended.
const bySignal = 128

// judge gives the end of a sandbox its meaning. The SDK makes an exit code of
// every end (getReturnCode in sandbox.go: 124 for a timeout, 137 for a terminated
// sandbox), which a step may have returned, too; the status tells them apart.
//
//	status                     phase      class
//	SUCCESS                    succeeded
//	FAILURE with a code        failed     user
//	FAILURE without one        failed     system
//	TERMINATED                 cancelled, or failed (preempted) where the text says so
//	TIMEOUT, IDLE_TIMEOUT      failed     timeout
//	INIT_FAILURE               failed     config where the text shows it, else system
//	INTERNAL_FAILURE           failed     system
//	MEMORY_MANAGER_EVICTION    failed     preempted
func judge(r *pb.GenericResult, st *pluginsdk.Status) {
	st.NativeState = strings.TrimPrefix(r.GetStatus().String(), "GENERIC_STATUS_")
	st.Phase, st.Message = pluginsdk.Failed, strings.TrimSpace(r.GetException())
	switch r.GetStatus() {
	case pb.GenericResult_GENERIC_STATUS_SUCCESS:
		st.Phase, st.ExitCode = pluginsdk.Succeeded, pluginsdk.Exit(int(r.GetExitcode()))
	case pb.GenericResult_GENERIC_STATUS_FAILURE:
		failure(r, st)
	case pb.GenericResult_GENERIC_STATUS_TERMINATED:
		if preempted(r) {
			st.Class, st.Reason = pluginsdk.ClassPreempted, "Preempted"
			return
		}
		// Somebody ended it: the host knows whether it was asked to.
		st.Phase, st.Reason = pluginsdk.Cancelled, "Terminated"
	case pb.GenericResult_GENERIC_STATUS_TIMEOUT:
		st.Class, st.Reason = pluginsdk.ClassTimeout, "Timeout"
		st.Message = message(st.Message, "the sandbox has reached its longest life (timeouts.run, sandbox_timeout, or Modal's 24 hours)")
	case pb.GenericResult_GENERIC_STATUS_IDLE_TIMEOUT:
		st.Class, st.Reason = pluginsdk.ClassTimeout, "IdleTimeout"
	case pb.GenericResult_GENERIC_STATUS_INIT_FAILURE:
		st.Class, st.Reason = initClass(r), "InitFailure"
		st.Message = message(st.Message, "the sandbox could not start")
	case pb.GenericResult_GENERIC_STATUS_MEMORY_MANAGER_EVICTION:
		// The machine ran out of memory, and the sandbox had more than it had asked
		// for: another try may find room, and asking for more makes sure.
		st.Class, st.Reason = pluginsdk.ClassPreempted, "MemoryEviction"
		st.Message = message(st.Message, "the machine was short of memory and ended the sandbox; ask for as much as the step needs with resources.memory")
	default:
		st.Class, st.Reason = pluginsdk.ClassSystem, "InternalFailure"
		st.Message = message(st.Message, "Modal failed")
	}
}

// failure is the end of the step's own process.
func failure(r *pb.GenericResult, st *pluginsdk.Status) {
	code := int(r.GetExitcode())
	switch {
	case preempted(r):
		st.Class, st.Reason = pluginsdk.ClassPreempted, "Preempted"
		return
	case code == 0:
		// No process that ended well is a failure.
		st.Class, st.Reason = pluginsdk.ClassSystem, "Failure"
		return
	case code < 0:
		code = bySignal - code
	}
	st.Class, st.Reason, st.ExitCode = pluginsdk.ClassUser, "Failure", pluginsdk.Exit(code)
	switch code {
	case bySignal + 9:
		st.Signal = "SIGKILL"
		if strings.Contains(strings.ToLower(r.GetException()), "memory") || strings.Contains(r.GetException(), "OOM") {
			st.Reason = "OutOfMemory"
		}
	case bySignal + 15:
		st.Signal = "SIGTERM"
	case bySignal + 11:
		st.Signal = "SIGSEGV"
	}
}

// preempted reads whether the machine was taken away. Assumption: no status says
// so, and the text does.
func preempted(r *pb.GenericResult) bool {
	text := strings.ToLower(r.GetException() + " " + r.GetPropagationReason())
	return strings.Contains(text, "preempt")
}

// initClass tells what a person wrote from what Modal could not do. "S3 mount
// failed due to invalid credentials" is the example of the API (GenericResult);
// the other texts are assumptions: those of container runtimes.
func initClass(r *pb.GenericResult) pluginsdk.Class {
	low := strings.ToLower(r.GetException())
	for _, sign := range []string{
		"credential", "access denied", "mount failed", "executable file not found", "no such file", "permission denied", "exec format", "invalid",
	} {
		if strings.Contains(low, sign) {
			return pluginsdk.ClassConfig
		}
	}
	return pluginsdk.ClassSystem
}

// message is what the backend said, or why where it said nothing.
func message(said, why string) string {
	if said == "" {
		return why
	}
	return said + " (" + why + ")"
}
