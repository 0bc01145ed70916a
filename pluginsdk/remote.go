package pluginsdk

import (
	"context"
	"time"
)

// Remote is the kind of flavor whose jobs outlive the plugin process. C is a
// struct with `stephost:"name"` tags, one field per config attribute of the
// manifest; it is decoded for every call. All methods are called from several
// goroutines at once, for several operators.
type Remote[C any] interface {
	// Submit makes ONE creating call, bounded to 60 s, and is idempotent on
	// s.Key where the manifest says idempotency = "key". An error wrapped with
	// Rejected says that the backend certainly holds nothing for the key; every
	// other error leaves it open (UNCERTAIN). Its context is not cancelled when
	// the host goes away.
	Submit(ctx context.Context, c C, s *Step) (Handle, error)
	// Status reads the job. An error means "could not ask" and is retried. A job
	// that is certainly gone is Status{Phase: Lost}, not an error. Callable at
	// any time, also after the end. Bounded to 30 s.
	Status(ctx context.Context, c C, h Handle) (Status, error)
	// Cancel asks the backend to end the job and returns when it has accepted.
	// Idempotent. ErrAlreadyOver when there was nothing to end.
	Cancel(ctx context.Context, c C, h Handle, o CancelOptions) error
}

// ProjectSetter is a config type that depends on the project, for example because a
// name at the backend is made of it. *C implements it; SetProject is called when
// the config of a call was decoded, with "" where there is no project. What Scope
// answers may depend on it, and so may every other method.
type ProjectSetter interface {
	SetProject(name string)
}

// Finder looks for jobs. Capability "find".
type Finder[C any] interface {
	Find(ctx context.Context, c C, q Query) (Found, error)
}

// Query asks by Key or by Token (then for all attempts); one of them is set.
type Query struct{ Key, Token string }

// Found is the answer of Find. No jobs and Undetermined = false means ABSENT:
// the backend was asked and holds no such job now.
type Found struct {
	Jobs []Job
	// Undetermined: the answer may change by itself (late listing).
	Undetermined bool
	// AskAgainAfter goes with Undetermined; 0 = the host's own pace.
	AskAgainAfter time.Duration
}

// Job is one job that Find found.
type Job struct {
	// Handle with NativeName and URL; Handle.Key when it is known.
	Handle  Handle
	Attempt int
	// RequestDigest as it was given to Submit; "" where the backend has no field
	// that cannot change.
	RequestDigest string
	// Incomplete: Submit with the same key must finish it.
	Incomplete bool
	Phase      Phase
	CreatedAt  time.Time
	RunID      string
}

// Watcher replaces polling. It reports every status that it sees and returns
// nil after it reported a terminal one. An error means "could not ask": the SDK
// shows it and calls Watch again with backoff. report must not be called after
// Watch has returned.
type Watcher[C any] interface {
	Watch(ctx context.Context, c C, h Handle, report func(Status)) error
}

// BatchStatus reads many jobs of one scope with as few calls as the backend
// allows. The SDK makes one call for all jobs that are watched in a scope. The
// answer has one element per handle, in the same order. An element whose Err is
// ErrAskSingly is read with Status. Not used when there is a Watcher.
type BatchStatus[C any] interface {
	StatusBatch(ctx context.Context, c C, hs []Handle) ([]StatusResult, error)
}

// StatusResult is the answer for one handle of StatusBatch.
type StatusResult struct {
	Status Status
	Err    error
}

// LogReader reads the log of a job. Capability "logs". It writes, for each
// source, everything behind r.Cursor. With r.Follow it returns nil when the job
// is over and every byte was written (the SDK then ends the sources); else when
// it has written what is there. An error means "could not ask": the SDK shows
// it and calls Logs again, from the last cursors, with backoff.
type LogReader[C any] interface {
	Logs(ctx context.Context, c C, h Handle, r LogRequest, w *LogWriter) error
}

// Planner makes the native request that Submit would send. Capability "plan".
// It creates nothing; with online = false it uses no network.
type Planner[C any] interface {
	Plan(ctx context.Context, c C, s *Step, online bool) (Plan, error)
}

// Plan is the answer of Planner.
type Plan struct {
	// Request as text; Format is "yaml", "json" or "text".
	Request, Format string
	// Notes are choices made, one line each: "gpu 1 x t4 -> ml.g4dn.xlarge".
	Notes []string
}

// KnownAtLaunch is the text for a field whose value needs the network, for
// example KnownAtLaunch("the role's ARN").
func KnownAtLaunch(why string) string { return "(known at launch: " + why + ")" }

// Preparer makes what Submit needs. Capability "prepare". It may take minutes
// and may be repeated; it creates only shared, content-addressed or
// create-if-missing things, never the job. progress shows one line.
type Preparer[C any] interface {
	Prepare(ctx context.Context, c C, s *Step, progress func(string)) (Prepared, error)
}

// Prepared is the answer of Preparer.
type Prepared struct {
	// Data is opaque, at most 1 MiB, without secrets; Submit gets it as
	// Step.Prepared.
	Data []byte
	// Resources are shared things that were made or found, for the record.
	Resources []string
}

// Scoper tells which account, cluster, project or machine is asked with this
// config and these credentials. Read-only. The SDK compares it with the stored
// scope before it passes any answer on. Without a Scoper the scope is a digest
// of the config.
type Scoper[C any] interface {
	Scope(ctx context.Context, c C) (Scope, error)
}

// Validator runs checks that HCL cannot express, without network. s is nil when
// only an operator is validated. Join several findings with errors.Join; make
// them with Config and Warn.
type Validator[C any] interface {
	Validate(ctx context.Context, c C, s *Step) error
}

// Preflighter runs read-only checks on the network, for `stephost doctor`.
// Capability "preflight". Results as in Validator.
type Preflighter[C any] interface {
	Preflight(ctx context.Context, c C, s *Step) error
}

// What Cleanup removes.
type What int

// Leftovers are secrets and staged objects; Record is the job object itself.
const (
	Leftovers What = iota + 1
	Record
)

// Cleaner removes what an ended job left. Capability "cleanup". Idempotent: what
// is already gone is success. It never removes what Prepare made for sharing.
type Cleaner[C any] interface {
	Cleanup(ctx context.Context, c C, h Handle, what What) error
}

// RegistryAuthorizer gives credentials for an image registry of this cloud.
// Capability "registry_auth". ErrNotOurs when the registry is of another one.
type RegistryAuthorizer[C any] interface {
	RegistryAuth(ctx context.Context, c C, r RegistryRequest) (RegistryCredentials, error)
}

// RegistryRequest names a registry (host and port) and a repository.
type RegistryRequest struct {
	Registry, Repository string
	Push                 bool
	// Create the repository when it is missing.
	Create bool
}

// RegistryCredentials is the answer of RegistryAuthorizer.
type RegistryCredentials struct {
	Username  string
	Password  Secret
	ExpiresAt time.Time
	Created   bool
}

// Launcher is the small kind: Launch runs the step and returns when it is over.
// Everything lives in the plugin process, so a run is lost with it; use Remote
// where a run must outlive the host.
//
// nil is success, User(code) or an *exec.ExitError the step's own failure, any
// other error a failure of class system, or of the class that it carries. When
// ctx is cancelled Launch ends the step and returns. Write the step's output to
// s.Stdout and s.Stderr.
type Launcher interface {
	Launch(ctx context.Context, s *Step) error
}

// LauncherFunc makes a Launcher of a function.
type LauncherFunc func(ctx context.Context, s *Step) error

// Launch calls f.
func (f LauncherFunc) Launch(ctx context.Context, s *Step) error { return f(ctx, s) }

var _ Launcher = LauncherFunc(nil)
