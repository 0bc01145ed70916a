//go:build unix

// Package early hands over before the rest of the front is initialised, where the first
// word of the command line is enough to know. Go initialises a package as soon as what
// it imports is (the specification, "Program initialization"), in the order of import
// paths, so this one comes right after package os and before HCL and the commands: it
// saves two of three milliseconds. Where it does nothing, or fails, the commands do it,
// or say why not.
package early

import (
	"os"

	"github.com/stephost/stephost/cmd/stephost/internal/handover"
)

func init() {
	if len(os.Args) > 1 && handover.Wholly(os.Args[1]) {
		_ = handover.Become()
	}
}
