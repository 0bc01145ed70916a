package spool

import (
	"errors"
	"fmt"
)

// ErrClosed says that a Writer or Reader has been closed.
var ErrClosed = errors.New("the log is closed")

// ErrSuperseded says that another process, with a newer claim, writes this log
// now. Whoever gets it stops.
var ErrSuperseded = errors.New("another process writes this log now")

// ErrRemoved says that the log was removed while it was read: nothing more of it
// can be had.
var ErrRemoved = errors.New("the log was removed while it was read")

// errNoSegment says that a file does not start like a segment: a process died
// while it made it, or it is something else.
var errNoSegment = errors.New("no segment")

// VersionError says that a newer stephost wrote the log.
type VersionError struct{ Version int }

func (e *VersionError) Error() string {
	return fmt.Sprintf("the log has format %d, this stephost knows %d: use a newer one", e.Version, formatVersion)
}
