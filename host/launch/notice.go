package launch

import "time"

// Notice is something that a person who watches a run wants to see now. The
// record and its events hold the same; a notice is only quicker.
type Notice struct {
	Run     string
	Attempt int
	Kind    NoticeKind
	// Phase of the job, or of the work before it ("preparing").
	Phase string
	// Reason is a word of the backend ("ImagePullBackOff"); Message explains.
	Reason, Message string
	// Since is when the phase began; Until is its bound, zero when it has none.
	Since, Until time.Time
	URL          string
}

// NoticeKind tells notices apart.
type NoticeKind string

// The kinds of notice.
const (
	// Status: what the run does or waits for.
	Status NoticeKind = "status"
	// Warning: a person should know, nothing stops.
	Warning NoticeKind = "warning"
	// Progress: a line of long work, such as an installation.
	Progress NoticeKind = "progress"
)
