package runs

import (
	"fmt"
	"strings"
)

// NotFoundError says that no run has this ID (or token).
type NotFoundError struct{ ID, Token string }

func (e *NotFoundError) Error() string {
	if e.Token != "" {
		return fmt.Sprintf("no run with token %.80q", e.Token)
	}
	return fmt.Sprintf("no run %.80q", e.ID)
}

// AmbiguousError says that a prefix fits more than one ID.
type AmbiguousError struct {
	Prefix string
	// IDs are some of those that it fits.
	IDs []string
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("run %q is ambiguous: %s", e.Prefix, strings.Join(e.IDs, ", "))
}

// OwnedError says that a run has an owner that may not be replaced just so.
type OwnedError struct {
	Run   string
	Owner OwnerInfo
	// Alive: the owner holds its lock. Elsewhere: it is on another machine or
	// in another pid namespace, so that nothing can be said of it.
	Alive, Elsewhere bool
}

func (e *OwnedError) Error() string {
	where := fmt.Sprintf("process %d", e.Owner.PID)
	if e.Owner.Host != "" {
		where += " on " + e.Owner.Host
	}
	if e.Elsewhere && !e.Alive {
		return fmt.Sprintf("run %s belongs to %s, which cannot be judged from here", e.Run, where)
	}
	return fmt.Sprintf("run %s belongs to %s, which is alive", e.Run, where)
}

// FencedError says that another owner has claimed the run since: whoever gets
// it stops at once, without cancelling or cleaning up.
type FencedError struct {
	Run string
	// Mine is the fence of the claim, Current the one in the store; Current is
	// 0 when the run is deleted.
	Mine, Current int64
	OwnerID       string
}

func (e *FencedError) Error() string {
	if e.Current == 0 {
		return fmt.Sprintf("run %s was deleted", e.Run)
	}
	return fmt.Sprintf("run %s was taken over (fence %d, now %d)", e.Run, e.Mine, e.Current)
}

// TransitionError says that a state may not follow another.
type TransitionError struct {
	Run      string
	From, To State
	// Rule is the broken rule, empty when the arrow simply does not exist.
	Rule string
}

func (e *TransitionError) Error() string {
	s := fmt.Sprintf("run %s: state %q cannot become %q", e.Run, e.From, e.To)
	if e.Rule != "" {
		s += ": " + e.Rule
	}
	return s
}

// FinalError says that something stored for good was to be changed.
type FinalError struct{ Run, Field string }

func (e *FinalError) Error() string {
	return fmt.Sprintf("run %s: %s is final", e.Run, e.Field)
}

// NotOverError says why attempt N+1 may not exist yet.
type NotOverError struct {
	Run     string
	Attempt int
	Reason  string
}

func (e *NotOverError) Error() string {
	return fmt.Sprintf("run %s: no attempt may follow attempt %d: %s", e.Run, e.Attempt, e.Reason)
}

// NotClosedError says that an unfinished run was to be deleted or reopened.
type NotClosedError struct {
	Run   string
	State State
}

func (e *NotClosedError) Error() string {
	return fmt.Sprintf("run %s is %s, not closed", e.Run, e.State)
}

// NetworkStoreError says that the store lies on a network file system.
type NetworkStoreError struct{ Dir, FileSystem string }

func (e *NetworkStoreError) Error() string {
	return fmt.Sprintf("%s lies on a network file system (%s), on which the database of runs would be damaged", e.Dir, e.FileSystem)
}

// NewerSchemaError says that a newer stephost wrote the store.
type NewerSchemaError struct {
	Path        string
	Have, Knows int
}

func (e *NewerSchemaError) Error() string {
	return fmt.Sprintf("%s was written by a newer stephost (schema %d, this one knows %d)", e.Path, e.Have, e.Knows)
}

// DamagedError says that the database, or a row of it, cannot be read.
type DamagedError struct {
	Path string
	Err  error
}

func (e *DamagedError) Error() string { return fmt.Sprintf("%s is damaged: %v", e.Path, e.Err) }
func (e *DamagedError) Unwrap() error { return e.Err }

// BusyError says that other processes kept the store locked for too long.
type BusyError struct {
	Path string
	Err  error
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("%s is locked by other processes: %v", e.Path, e.Err)
}
func (e *BusyError) Unwrap() error { return e.Err }

// DiskError says that the disk under the store has no room, or refuses to read or
// write. Nothing of what was to be stored is stored.
type DiskError struct {
	Path string
	Err  error
}

func (e *DiskError) Error() string { return fmt.Sprintf("%s: %v", e.Path, e.Err) }
func (e *DiskError) Unwrap() error { return e.Err }

// TokenError says that a token is no token.
type TokenError struct{ Length int }

func (e *TokenError) Error() string {
	return fmt.Sprintf("a run token has 1 to %d bytes, not %d", maxToken, e.Length)
}
