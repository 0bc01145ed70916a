package pluginsdk

import (
	"fmt"
	"time"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// LogSource names one ordered sequence of bytes.
type LogSource struct {
	Attempt int
	// Epoch rises with each restart, new pod or new file.
	Epoch, Node int
	Container   string
	// Stream is "stdout" or "stderr".
	Stream string
}

// Name is "attempt/epoch/node/container/stream".
func (s LogSource) Name() string {
	return fmt.Sprintf("%d/%d/%d/%s/%s", s.Attempt, s.Epoch, s.Node, s.Container, s.Stream)
}

// LogEntry holds whole lines that carry one and the same time, or, with
// Partial, ends in the middle of one. A whole line ends with its newline: the
// SDK never adds one. Data may be of any size, the SDK splits it; it is copied.
type LogEntry struct {
	Time time.Time
	Data []byte
	// Cursor is the position behind this entry; at most 1,000 bytes.
	Cursor string
	// Partial: the last line goes on in the next entry.
	Partial bool
}

// Gap says that bytes are missing (Proven) or may be.
type Gap struct {
	Proven bool
	Reason string
	// Bytes that are missing; 0 = unknown.
	Bytes int64
}

// LogRequest says from where to read.
type LogRequest struct {
	Follow  bool
	cursors map[string]string
}

// Cursor returns the cursor of the last entry of source that arrived, or "" =
// from the start.
func (r LogRequest) Cursor(source LogSource) string { return r.cursors[source.Name()] }

// Known returns all sources that have a cursor. The map must not be changed.
func (r LogRequest) Known() map[string]string { return r.cursors }

func (s LogSource) proto() *operatorv1.LogSource {
	return &operatorv1.LogSource{
		Name: s.Name(), Attempt: int32(s.Attempt), Epoch: int32(s.Epoch), Node: int32(s.Node),
		Container: s.Container, Stream: s.Stream,
	}
}
