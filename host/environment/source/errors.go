package source

import "fmt"

// TooLargeError refuses a tree over SizeLimit.
type TooLargeError struct {
	// Bytes were counted; more when Partial, for the scan stopped there.
	Bytes   int64
	Partial bool
	// Biggest holds up to ten paths, biggest first.
	Biggest []Size
}

func (e *TooLargeError) Error() string {
	more := ""
	if e.Partial {
		more = "at least "
	}
	return fmt.Sprintf("it has %s%s, over the limit of %s", more, FormatBytes(e.Bytes), FormatBytes(SizeLimit))
}

// TooManyError refuses a tree of more than MaxEntries paths.
type TooManyError struct{ Biggest []Size }

func (e *TooManyError) Error() string {
	return fmt.Sprintf("it has more than %d files and directories", MaxEntries)
}

// NoSpaceError refuses a tree that does not fit on a disk.
type NoSpaceError struct {
	// Dir is where it would be written; Need and Free are bytes. Twice: Need is for
	// the cached copy and for the step's own.
	Dir        string
	Need, Free int64
	Twice      bool
	// Biggest holds up to ten paths, biggest first.
	Biggest []Size
}

func (e *NoSpaceError) Error() string {
	both := ""
	if e.Twice {
		both = " for the cached copy and the step's own"
	}
	return fmt.Sprintf("it needs %s%s on the disk of %s, where %s are free", FormatBytes(e.Need), both, e.Dir, FormatBytes(e.Free))
}

// LinkError refuses a link that leaves its root.
type LinkError struct {
	// Path is relative to the root, Root its path, Target as the link says.
	Path, Root, Target string
}

func (e *LinkError) Error() string {
	return fmt.Sprintf("the link %q points out of %s, to %q", e.Path, e.Root, e.Target)
}

// SpecialError refuses what is neither file, directory nor link.
type SpecialError struct{ Path, Root, What string }

func (e *SpecialError) Error() string {
	return fmt.Sprintf("%q in %s is %s, which cannot be copied", e.Path, e.Root, e.What)
}

// TargetError refuses a target that does not stay inside the tree.
type TargetError struct{ Target string }

func (e *TargetError) Error() string {
	return fmt.Sprintf("the target %q does not stay inside the work directory", e.Target)
}

// ClashError refuses two roots that both give a path.
type ClashError struct{ Path, First, Second string }

func (e *ClashError) Error() string {
	return fmt.Sprintf("%q comes from %s and from %s", e.Path, e.First, e.Second)
}

// ChangedError says that a file was written while it was read.
type ChangedError struct{ Path string }

func (e *ChangedError) Error() string {
	return fmt.Sprintf("%q changes while it is being copied", e.Path)
}

// MissingBlobError says that a blob of the store is gone or damaged; adding the
// tree again brings it back.
type MissingBlobError struct {
	Path string
	Err  error
}

func (e *MissingBlobError) Error() string {
	return fmt.Sprintf("the cached copy of %q is gone or damaged: %v", e.Path, e.Err)
}

// Unwrap is the cause.
func (e *MissingBlobError) Unwrap() error { return e.Err }
