//go:build !unix

package source

import (
	"errors"
	"os"
)

// errNotDir has no counterpart here: a path below a file does not exist.
var errNotDir = errors.New("not a directory")

// openRegular opens for reading.
func openRegular(name string) (*os.File, error) { return os.Open(name) }
