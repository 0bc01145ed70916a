package wire

import "time"

// States of a job, in the backend's own words.
const (
	Queued       = "QUEUED"
	Provisioning = "PROVISIONING"
	Running      = "RUNNING"
	Stopping     = "STOPPING"
	Done         = "DONE"
	Stopped      = "STOPPED"
	Preempted    = "PREEMPTED"
	Broken       = "BROKEN" // the backend failed it
)

// Over tells whether state is final.
func Over(state string) bool {
	switch state {
	case Done, Stopped, Preempted, Broken:
		return true
	}
	return false
}

// JobRequest creates a job.
type JobRequest struct {
	// Name is unique among the jobs that exist; "" lets the backend choose.
	Name    string            `json:"name,omitempty"`
	Labels  map[string]string `json:"labels,omitempty"`
	Digest  string            `json:"digest,omitempty"`
	Argv    []string          `json:"argv,omitempty"`
	Env     map[string]string `json:"env,omitempty"`
	Secrets map[string]string `json:"secrets,omitempty"`
	Dir     string            `json:"dir,omitempty"`
	// Noop starts no process: the job writes Lines lines and ends after NoopMS.
	Noop   bool `json:"noop,omitempty"`
	Lines  int  `json:"lines,omitempty"`
	NoopMS int  `json:"noop_ms,omitempty"`
	// Faults of this job alone; else those that the admin set for it.
	Faults *Faults `json:"faults,omitempty"`
}

// Labels that the flavor sets.
const (
	LabelKey      = "stephost-key"
	LabelToken    = "stephost-token"
	LabelRun      = "stephost-run"
	LabelAttempt  = "stephost-attempt"
	LabelStep     = "stephost-step"
	LabelPipeline = "stephost-pipeline"
)

// Job as the backend shows it.
type Job struct {
	ID     string            `json:"id"`
	Labels map[string]string `json:"labels,omitempty"`
	Digest string            `json:"digest,omitempty"`
	Argv   []string          `json:"argv,omitempty"`
	State  string            `json:"state"`
	Reason string            `json:"reason,omitempty"`
	// Incomplete: created but not started; Submit again starts it.
	Incomplete bool      `json:"incomplete,omitempty"`
	ExitCode   *int      `json:"exit_code,omitempty"`
	Signal     string    `json:"signal,omitempty"`
	Restarts   int       `json:"restarts,omitempty"`
	PID        int       `json:"pid,omitempty"`
	Created    time.Time `json:"created"`
	Since      time.Time `json:"since"` // in this state
	Started    time.Time `json:"started,omitzero"`
	Ended      time.Time `json:"ended,omitzero"`
	Output     string    `json:"output,omitempty"` // where outputs are: a directory or an address
	// Deleted jobs are shown to the admin only.
	Deleted bool `json:"deleted,omitempty"`
	// Starts counts processes (or noop runs) that the backend began for it.
	Starts int `json:"starts,omitempty"`
}

// Faults of a job. Zero values mean none.
type Faults struct {
	// Submit.
	ReplyLost       int    `json:"reply_lost,omitempty"`       // accept, then drop the connection, for the first N submits
	HalfMade        int    `json:"half_made,omitempty"`        // create it inert and drop the connection, for the first N submits
	LandsAfterMS    int    `json:"lands_after_ms,omitempty"`   // drop the connection at once, create it later
	SubmitDelayMS   int    `json:"submit_delay_ms,omitempty"`  // accept, answer later
	SubmitThrottled int    `json:"submit_throttled,omitempty"` // answer 429 to the first N submits, nothing created
	SubmitCapacity  int    `json:"submit_capacity,omitempty"`  // answer "no capacity" to the first N submits, nothing created
	SubmitError     int    `json:"submit_error,omitempty"`     // answer 500 to the first N submits, nothing created
	KillPlugin      string `json:"kill_plugin,omitempty"`      // SIGKILL the caller "before" or "after" the job is created, once
	// Find.
	ListedAfterMS int  `json:"listed_after_ms,omitempty"` // lists do not show it for so long
	OtherDigest   bool `json:"other_digest,omitempty"`    // it shows another request digest than it was given
	// Life.
	QueuedMS       int  `json:"queued_ms,omitempty"`
	ProvisioningMS int  `json:"provisioning_ms,omitempty"`
	PreemptAfterMS int  `json:"preempt_after_ms,omitempty"` // after the start
	RestartAfterMS int  `json:"restart_after_ms,omitempty"` // the backend kills and starts it again
	Restarts       int  `json:"restarts,omitempty"`         // so many times
	ExitCode       *int `json:"exit_code,omitempty"`        // of a noop job
	DeleteAfterMS  int  `json:"delete_after_ms,omitempty"`  // after the end (TTL): the name is free again
	// Cancel.
	CancelMS    int  `json:"cancel_ms,omitempty"`    // it ends so much later
	CancelNever bool `json:"cancel_never,omitempty"` // accepted, and nothing happens unless forced
	// Logs.
	FloodLines  int   `json:"flood_lines,omitempty"`  // written before the step's own output
	LogsLateMS  int   `json:"logs_late_ms,omitempty"` // nothing is shown until so long after the end
	RotateBytes int64 `json:"rotate_bytes,omitempty"` // only the newest so many bytes of a file are kept
	LogsErrors  int   `json:"logs_errors,omitempty"`  // answer 500 to the first N reads
	LogsChunk   int   `json:"logs_chunk,omitempty"`   // at most so many bytes per read
	// Outputs.
	RemoteOutputs    bool     `json:"remote_outputs,omitempty"`     // they can be had from the backend alone
	OutputBreaks     int      `json:"output_breaks,omitempty"`      // drop the connection in the first N reads of larger files
	OutputBreakAfter int64    `json:"output_break_after,omitempty"` // behind so many bytes
	OutputKills      int      `json:"output_kills,omitempty"`       // SIGKILL the caller there, in the first N reads
	OutputStalls     int      `json:"output_stalls,omitempty"`      // bring nothing more there, in the first N reads
	OutputErrors     int      `json:"output_errors,omitempty"`      // answer 500 to the first N reads
	OutputNames      []string `json:"output_names,omitempty"`       // names that the list shows besides those of files
}

// FaultRule gives Faults to jobs whose label has the value; an empty Label is
// the default for all jobs. The newest matching rule counts.
type FaultRule struct {
	Label  string `json:"label,omitempty"`
	Value  string `json:"value,omitempty"`
	Faults Faults `json:"faults"`
}

// Weather is what befalls the backend as a whole.
type Weather struct {
	// UnreachableMS: from now on, connections are dropped for so long.
	UnreachableMS int `json:"unreachable_ms,omitempty"`
	// ThrottledMS: answer 429 for so long, RetryAfterMS goes with it.
	ThrottledMS  int `json:"throttled_ms,omitempty"`
	RetryAfterMS int `json:"retry_after_ms,omitempty"`
	// Unauthorized: answer 401 while set.
	Unauthorized bool `json:"unauthorized,omitempty"`
	// Account that answers; "" = unchanged. Another one has no jobs.
	Account string `json:"account,omitempty"`
}

// Chunk is a piece of a log.
type Chunk struct {
	Data []byte
	// First is the oldest offset that is still kept, Next the one behind Data.
	First, Next int64
	// End: the file is over and Next is its end.
	End bool
}

// OutputFile is a file that a job left.
type OutputFile struct {
	Name    string    `json:"name"`
	Bytes   int64     `json:"bytes"`
	Version string    `json:"version"`
	Changed time.Time `json:"changed"`
}

// Stats count calls by name since the start.
type Stats map[string]int
