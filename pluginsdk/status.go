package pluginsdk

import (
	"fmt"
	"slices"
	"time"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// Phase of a job. Succeeded, Failed, Cancelled and Lost are terminal.
type Phase int32

// The phases of the contract. The zero Phase means "no news": the SDK keeps the
// last one and shows the native state.
const (
	Queued       = Phase(operatorv1.Phase_PHASE_QUEUED)
	Provisioning = Phase(operatorv1.Phase_PHASE_PROVISIONING)
	Running      = Phase(operatorv1.Phase_PHASE_RUNNING)
	Cancelling   = Phase(operatorv1.Phase_PHASE_CANCELLING)
	Succeeded    = Phase(operatorv1.Phase_PHASE_SUCCEEDED)
	Failed       = Phase(operatorv1.Phase_PHASE_FAILED)
	Cancelled    = Phase(operatorv1.Phase_PHASE_CANCELLED)
	// Lost: it is certain that the job existed, and no verdict can be had.
	Lost = Phase(operatorv1.Phase_PHASE_LOST)
)

// Terminal tells whether the job is over.
func (p Phase) Terminal() bool { return p >= Succeeded && p <= Lost }

// Class says whose matter a failure is; it decides about retries.
type Class int32

// The classes of the contract.
const (
	ClassUser      = Class(operatorv1.Class_CLASS_USER)
	ClassConfig    = Class(operatorv1.Class_CLASS_CONFIG)
	ClassCapacity  = Class(operatorv1.Class_CLASS_CAPACITY)
	ClassPreempted = Class(operatorv1.Class_CLASS_PREEMPTED)
	ClassSystem    = Class(operatorv1.Class_CLASS_SYSTEM)
	ClassTimeout   = Class(operatorv1.Class_CLASS_TIMEOUT)
	ClassCancelled = Class(operatorv1.Class_CLASS_CANCELLED)
	ClassLost      = Class(operatorv1.Class_CLASS_LOST)
	ClassAuth      = Class(operatorv1.Class_CLASS_AUTH)
)

// Status of a job as the backend tells it.
type Status struct {
	Phase Phase
	// Reason is a word for programs, for example "ImagePullBackOff"; Message the
	// same for a person, at most 1 KiB.
	Reason, Message string
	// NativeState is the backend's own word.
	NativeState string
	// Restarts counts starts beyond the first that the backend made by itself.
	Restarts int
	// ObservedAt is when the backend was asked; the SDK fills it when zero.
	ObservedAt time.Time
	// PhaseSince is by the backend's own clock; zero = unknown.
	PhaseSince time.Time
	URL        string

	// The rest counts with a terminal phase only.

	// Class of the failure. When zero: user with a known exit code other than
	// 0, else system; cancelled and lost follow from the phase.
	Class Class
	// ExitCode of the step's process, 0 to 255; nil = unknown. Another one is put
	// into the message.
	ExitCode *int
	// Signal that ended the process, for example "SIGKILL".
	Signal             string
	StartedAt, EndedAt time.Time
	Outputs            []Output
}

// Output that the step left.
type Output struct {
	Name string
	// Location is a path on the host's machine or a URI. An output whose name or
	// location is no UTF-8 is left out, and the message says so.
	Location string
	// Bytes; -1 = unknown.
	Bytes int64
}

// Handle is all that is needed, with the scope, to find the job again.
type Handle struct {
	// Version of the format of Data; the manifest lists the ones that the plugin
	// reads. 0 is sent as 1.
	Version uint32
	// Data is opaque to the host, at most 16 KiB, without secrets.
	Data []byte

	// Existing, NativeName and URL travel in the answer of Submit only (and of
	// Find, but for Existing).

	// Existing: the key was already in use by this very request.
	Existing bool
	// NativeName is the job's name in the backend's own words.
	NativeName string
	URL        string

	// Key and Scope are filled by the SDK on the way in: the attempt's key and
	// the stored scope.
	Key   string
	Scope Scope
}

// Scope names the place that was asked. Two are the same exactly if their IDs
// are equal.
type Scope struct {
	// ID is canonical and stable, for example "aws:123456789012:eu-west-1"; at
	// most 1 KiB; no secrets.
	ID string
	// Display is the same for a person.
	Display string
}

// CancelOptions of one Cancel call.
type CancelOptions struct {
	// Grace is the time between the polite request to end and the hard one.
	Grace time.Duration
	// Force asks for the hard end at once, where the backend can.
	Force bool
}

// Exit returns a pointer to code, for Status.ExitCode.
func Exit(code int) *int { return &code }

func scopeOf(p *operatorv1.Scope) Scope { return Scope{ID: p.GetId(), Display: p.GetDisplay()} }

// handle is the author's form of a handle. One of a version that the manifest
// does not list is refused: guessing at its content could tell, or end, another
// job.
func (s *Server) handle(p *operatorv1.Handle, key string, t *operatorv1.Target) (Handle, error) {
	h := Handle{Version: max(p.GetVersion(), 1), Data: append([]byte(nil), p.GetData()...), Key: key, Scope: scopeOf(t.GetScope())}
	m, err := s.manifest()
	if err != nil {
		return h, err
	}
	if !slices.Contains(m.handles, h.Version) {
		return h, fmt.Errorf("this is flavor %s %s, which reads handles of version %v, and the job has one of version %d: use the version of the flavor that the run was launched with",
			m.name, m.version, m.handles, h.Version)
	}
	return h, nil
}
