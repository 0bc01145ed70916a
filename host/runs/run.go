package runs

import (
	"encoding/json"
	"time"
)

// Run is the record of one launch of a step. What Store and Claim hand out is
// a copy of the caller's own, except that byte slices may be shared: replace
// them, never write into them.
type Run struct {
	// ID is a ULID, made by Create.
	ID string
	// Token names the run for whoever launched it: 1 to 256 bytes, unique in
	// the store. TokenGiven says that a caller chose it.
	Token      string
	TokenGiven bool

	State State
	// StateReason explains unknown and blocked, for a person.
	StateReason string

	Operator, Step, Pipeline, PipelineRun string
	Labels                                map[string]string

	// Definition is what was written, without secret values; its digest is
	// compared when the token comes again. Both are set by Create and final.
	Definition       []byte
	DefinitionDigest string

	Pin Pin
	// Plan is package launch's own (resolved step, timeouts, references): it is
	// stored and handed back as it is.
	Plan json.RawMessage

	// Attempts are ascending; the last is the current one.
	Attempts []Attempt

	// Intent is the wish to cancel, or nil.
	Intent *Intent
	// Verdict is final once set.
	Verdict *Verdict

	// Values are the named values that the step printed.
	Values   map[string]json.RawMessage
	Detached bool

	// OwnerID is empty when nobody owns the run. Owner is what that owner said
	// of itself when it claimed. Fence rises with every claim.
	OwnerID string
	Owner   *OwnerInfo
	Fence   int64

	// Times of this machine's wall clock, UTC, in whole nanoseconds; zero where
	// it has not happened. The store sets all four.
	CreatedAt, UpdatedAt, VerdictAt, ClosedAt time.Time
}

// Current is the last attempt, or nil before the first.
func (r *Run) Current() *Attempt {
	if len(r.Attempts) == 0 {
		return nil
	}
	return &r.Attempts[len(r.Attempts)-1]
}

// Pin is what a run holds on to while operators are edited and flavors
// upgraded around it.
type Pin struct {
	Flavor         string `json:"flavor,omitempty"`
	Version        string `json:"version,omitempty"`
	ArtifactSHA256 string `json:"artifact_sha256,omitempty"`
	ManifestDigest string `json:"manifest_digest,omitempty"`
	// ScopeID says which account, cluster or machine was asked, ScopeDisplay
	// says it to a person, Scope is the plugin's own encoding, if it has one.
	ScopeID      string `json:"scope_id,omitempty"`
	ScopeDisplay string `json:"scope_display,omitempty"`
	Scope        []byte `json:"scope,omitempty"`
	// Config and Settings are canonical JSON without the sensitive attributes;
	// of those the templates are kept.
	Config         json.RawMessage   `json:"config,omitempty"`
	SecretConfig   map[string]string `json:"secret_config,omitempty"`
	Settings       json.RawMessage   `json:"settings,omitempty"`
	SecretSettings map[string]string `json:"secret_settings,omitempty"`
}

// Attempt is one submission of the run to the backend.
type Attempt struct {
	// Number starts at 1.
	Number int `json:"number"`
	// Key is the idempotency key of this submission; unique in the store, final
	// once the attempt is stored.
	Key string `json:"key"`
	// Request is replayed byte for byte; Request, its digest and Prepared are
	// final once the state is submitting.
	Request       []byte `json:"-"`
	Prepared      []byte `json:"-"`
	RequestDigest string `json:"request_digest,omitempty"`

	SubmittingAt time.Time `json:"submitting_at,omitzero"`
	SubmittedAt  time.Time `json:"submitted_at,omitzero"`
	StartedAt    time.Time `json:"started_at,omitzero"`
	EndedAt      time.Time `json:"ended_at,omitzero"`

	// Asked: a person asked for this attempt, of a run that had ended without success.
	Asked bool `json:"asked,omitempty"`

	// Handle is the plugin's; final once set.
	Handle        []byte `json:"handle,omitempty"`
	HandleVersion uint32 `json:"handle_version,omitempty"`
	// Existing: the backend already had the job when it was submitted.
	Existing   bool   `json:"existing,omitempty"`
	NativeName string `json:"native_name,omitempty"`
	URL        string `json:"url,omitempty"`

	// The last status.
	Phase       string    `json:"phase,omitempty"`
	Reason      string    `json:"reason,omitempty"`
	Message     string    `json:"message,omitempty"`
	NativeState string    `json:"native_state,omitempty"`
	Restarts    int32     `json:"restarts,omitempty"`
	ObservedAt  time.Time `json:"observed_at,omitzero"`
	PhaseSince  time.Time `json:"phase_since,omitzero"`

	CancelSentAt      time.Time `json:"cancel_sent_at,omitzero"`
	CancelConfirmedAt time.Time `json:"cancel_confirmed_at,omitzero"`
	LeftoversCleaned  bool      `json:"leftovers_cleaned,omitempty"`

	// Verdict of this attempt; final once set.
	Verdict *Verdict `json:"verdict,omitempty"`
	// Resolution is a person's word that nothing of this attempt runs any more
	// (`run resolve`), with who and when. It lets a next attempt start where
	// the backend proved nothing.
	Resolution string `json:"resolution,omitempty"`
}

// Intent is the wish to cancel a run. The first one is kept; later ones can
// only raise Force.
type Intent struct {
	// Cause explains a cancelled verdict: CauseUser and the others.
	Cause string    `json:"cause"`
	By    string    `json:"by,omitempty"`
	At    time.Time `json:"at"`
	Force bool      `json:"force,omitempty"`
}

// Causes of a cancel.
const (
	CauseUser         = "user"
	CauseProvisioning = "provisioning"
	CauseRun          = "run"
	CauseTotal        = "total"
	CauseSignal       = "signal"
	CauseSuperseded   = "superseded"
)

// ClassSucceeded is the class of a verdict that is no problem; all other
// classes are problem.Class words.
const ClassSucceeded = "succeeded"

// Verdict is how a run, or an attempt, ended.
type Verdict struct {
	// Class is ClassSucceeded or a problem.Class.
	Class string `json:"class"`
	// ExitCode is nil where it is not known.
	ExitCode *int     `json:"exit_code,omitempty"`
	Signal   string   `json:"signal,omitempty"`
	Phase    string   `json:"phase,omitempty"`
	Reason   string   `json:"reason,omitempty"`
	Message  string   `json:"message,omitempty"`
	Outputs  []Output `json:"outputs,omitempty"`
	// CancelUnconfirmed: a cancel was sent and the backend has not confirmed
	// that the job is gone.
	CancelUnconfirmed bool      `json:"cancel_unconfirmed,omitempty"`
	At                time.Time `json:"at"`
}

// Output is something that the step left.
type Output struct {
	Name string `json:"name"`
	// Location is a path on the host's machine or a URI.
	Location string `json:"location"`
	// Bytes is -1 where it is not known.
	Bytes int64 `json:"bytes"`
}

// Event is one line of a run's story.
type Event struct {
	// Seq rises by one within a run; the store sets it.
	Seq int64 `json:"seq"`
	// At is set by the store when zero.
	At time.Time `json:"at"`
	// Actor is an owner's ID or "user@pid"; the store sets the owner's when
	// empty.
	Actor string `json:"actor,omitempty"`
	// Kind is EventState and the others, or package launch's own words.
	Kind string `json:"kind"`
	// Message is for a person; cut to 4 KiB.
	Message string          `json:"message,omitempty"`
	Data    json.RawMessage `json:"data,omitempty"`
}

// Kinds of events that the store writes by itself. EventState is not written
// when the caller's own events hold one.
const (
	EventCreated  = "created"
	EventState    = "state"
	EventClaimed  = "claimed"
	EventReleased = "released"
	EventCancel   = "cancel"
	EventReopened = "reopened"
)
