//go:build !linux

package limit

import (
	"errors"
	"runtime"
)

// HaveCPUs is the number of cores of this machine.
func HaveCPUs() int64 { return int64(runtime.NumCPU()) }

// Pin runs start. Affinity cannot be set here, so n must be 0.
func Pin(n int64, _ string, start func() error) error {
	if n != 0 {
		return errors.New("the number of cores cannot be limited on this system")
	}
	return start()
}

// CanPin tells whether affinity can be set here.
const CanPin = false
