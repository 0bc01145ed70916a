package pluginsdk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// maxOutputTexts bounds the names and places of a list of outputs: a terminal event
// that is too large for a message would never arrive.
const maxOutputTexts = 1 << 20

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

// outputsOf is the list as the contract takes it, and what a person should hear of
// it. A name or a place that is no UTF-8 cannot be told, and one that was made so
// would lead nowhere.
func outputsOf(list []Output) (told []*operatorv1.Output, warning string) {
	var bad []string
	size := 0
	for i, o := range list {
		if !utf8.ValidString(o.Name) || !utf8.ValidString(o.Location) {
			bad = append(bad, fmt.Sprintf("%.80q at %.200q", o.Name, o.Location))
			continue
		}
		if size += len(o.Name) + len(o.Location); size > maxOutputTexts {
			return told, more(warningOf(bad), fmt.Sprintf("%s not listed, since the list would be longer than 1 MiB", outputs(len(list)-i)))
		}
		told = append(told, &operatorv1.Output{Name: o.Name, Location: o.Location, Bytes: o.Bytes})
	}
	return told, warningOf(bad)
}

func warningOf(bad []string) string {
	switch len(bad) {
	case 0:
		return ""
	case 1:
		return "1 output is not listed, since its name is no UTF-8 text: " + bad[0]
	}
	return fmt.Sprintf("%s not listed, since their names are no UTF-8 text: %s, ...", outputs(len(bad)), bad[0])
}

func outputs(n int) string {
	if n == 1 {
		return "1 output is"
	}
	return fmt.Sprintf("%d outputs are", n)
}

// more is both texts in one.
func more(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

// withWarning is a message of at most maxMessage bytes that ends with a warning.
func withWarning(message, warning string) string {
	if warning == "" {
		return bound(message, maxMessage)
	}
	warning = bound(warning, maxMessage/2)
	return more(bound(message, maxMessage-len(warning)-len("; ")), warning)
}
