package pluginsdk

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"
)

// Sentinels of OutputReader.
var (
	// ErrNoOutput: the location, or the file of it, is not there (any more).
	ErrNoOutput = errors.New("the output is not there any more")
	// ErrOutputRange: the file ends at or before the offset. The SDK then begins
	// anew.
	ErrOutputRange = errors.New("the file is not longer than the offset")
)

// OutputReader reads what a step left where the host has no access to it: an
// object store. Capability "read_output". Both methods may be called at any time
// after the end of the job, for several files at once.
//
// location is one that a terminal Status listed. What is none of the job's own
// is refused with Config: a record that was tampered with must not read other
// people's objects. ErrNoOutput when there is nothing.
type OutputReader[C any] interface {
	// OutputFiles lists the files that a location stands for: one without a name
	// where the location itself is a file.
	OutputFiles(ctx context.Context, c C, h Handle, location string) ([]OutputFile, error)
	// OpenOutput opens one of them at an offset. The SDK has checked that r.Name
	// leads nowhere else. It closes what is returned, makes the messages of the
	// contract, compares versions, and takes an early end for "could not ask".
	OpenOutput(ctx context.Context, c C, h Handle, r OutputRead) (OutputFile, io.ReadCloser, error)
}

// OutputRead names a file to read.
type OutputRead struct {
	Location string
	// Name as listed; "" where the location itself is the file.
	Name string
	// Offset of the first byte that is wanted.
	Offset int64
}

// OutputFile is one file of an output.
type OutputFile struct {
	// Name is relative to the location, with "/" between directories.
	Name string
	// Bytes is the size of the whole file; -1 = unknown.
	Bytes int64
	// Version changes with the content, for example an entity tag; "" = unknown.
	Version    string
	ModifiedAt time.Time
}

// errOutputName is the answer to a name that is none of a listed file.
func errOutputName(name string) error {
	return Config("", "%q is no name of a file below an output", bound(name, maxSummary/2))
}

// checkOutputName refuses what leads out of a location: an object store may have
// such names, and a flavor may join paths.
func checkOutputName(name string) error {
	if name == "" {
		return nil
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return errOutputName(name)
		}
	}
	if strings.ContainsRune(name, 0) {
		return errOutputName(name)
	}
	return nil
}
