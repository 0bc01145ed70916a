// Package limit gives a step the resources that it asked for, and no more:
// cores by affinity, memory by a control group, GPUs by locks.
//
// Invariants:
//
//   - What cannot be kept is refused, never rounded down. A part of a core is
//     rounded up to the next core.
//   - Check and CPUs, Memory, GPUs look at the machine and change nothing.
package limit

import "fmt"

// Machine says where to look; tests look elsewhere. The zero Machine is the
// real one.
type Machine struct {
	// Devices is the directory with the GPU devices; "" = /dev.
	Devices string
}

// Cores is the number of whole cores that hold millis thousandths of one.
func Cores(millis int64) int64 { return (millis + 999) / 1000 }

// TooMuchError: the machine has less than the step asks for.
type TooMuchError struct {
	// What is "cpu", "memory" or "gpu".
	What        string
	Asked, Have int64
}

func (e *TooMuchError) Error() string {
	if e.What == "gpu" && e.Have == 0 {
		return fmt.Sprintf("the step asks for %d GPU, and this machine has no NVIDIA GPU", e.Asked)
	}
	unit := map[string]string{"cpu": "cores", "memory": "bytes of memory", "gpu": "GPUs"}[e.What]
	return fmt.Sprintf("the step asks for %d %s, and this machine has %d", e.Asked, unit, e.Have)
}
