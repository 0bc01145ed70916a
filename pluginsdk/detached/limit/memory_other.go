//go:build !linux

package limit

import (
	"errors"
	"os"
)

// ErrNoMemoryLimit: memory cannot be limited on this system.
var ErrNoMemoryLimit = errors.New("memory cannot be limited on this system")

// HaveMemory is not known here.
func HaveMemory() int64 { return 0 }

// MemoryParent finds none here.
func MemoryParent() (string, error) { return "", ErrNoMemoryLimit }

// Group is a control group of one step; there are none here.
type Group struct{ Dir string }

// MakeGroup makes none here.
func MakeGroup(string, int64) (*Group, error) { return nil, ErrNoMemoryLimit }

// Open opens nothing here.
func (*Group) Open() (*os.File, error) { return nil, ErrNoMemoryLimit }

// OutOfMemory is never known here.
func (*Group) OutOfMemory() bool { return false }

// Remove removes nothing here.
func (*Group) Remove() {}
