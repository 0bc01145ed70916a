package limit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
)

// GPUs lists the NVIDIA devices of the machine by number.
func (m Machine) GPUs() []int {
	dir := m.Devices
	if dir == "" {
		dir = "/dev"
	}
	names, err := filepath.Glob(filepath.Join(dir, "nvidia[0-9]*"))
	if err != nil {
		return nil
	}
	var found []int
	for _, name := range names {
		n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(name), "nvidia"))
		if err == nil {
			found = append(found, n)
		}
	}
	slices.Sort(found)
	return found
}

// NoFreeGPUError: the machine has enough GPUs, but others hold them.
type NoFreeGPUError struct{ Asked, Free, Have int }

func (e *NoFreeGPUError) Error() string {
	return fmt.Sprintf("%d of this machine's %d GPUs are free, and the step asks for %d", e.Free, e.Have, e.Asked)
}

// Held are GPUs that this process holds.
type Held struct {
	Numbers []int
	// Locks keep them. A process that inherits the descriptors keeps them too:
	// so a GPU stays taken when only the runner dies.
	Locks []*os.File
}

// Visible is the value for CUDA_VISIBLE_DEVICES.
func (h *Held) Visible() string {
	var names []string
	for _, n := range h.Numbers {
		names = append(names, strconv.Itoa(n))
	}
	return strings.Join(names, ",")
}

// Close gives them back.
func (h *Held) Close() {
	for _, f := range h.Locks {
		f.Close()
	}
}

// TakeGPUs takes n free GPUs for as long as Held is open, by locks below dir.
// Two runs of one user never share a GPU by accident.
func (m Machine) TakeGPUs(n int, dir string) (*Held, error) {
	have := m.GPUs()
	if n > len(have) {
		return nil, &TooMuchError{What: "gpu", Asked: int64(n), Have: int64(len(have))}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	held := &Held{}
	for _, number := range have {
		if len(held.Numbers) == n {
			break
		}
		lock, err := jobdir.TryLock(filepath.Join(dir, strconv.Itoa(number)+".lock"))
		if errors.Is(err, jobdir.ErrBusy) {
			continue
		}
		if err != nil {
			held.Close()
			return nil, err
		}
		held.Numbers = append(held.Numbers, number)
		held.Locks = append(held.Locks, lock)
	}
	if free := len(held.Numbers); free < n {
		held.Close()
		return nil, &NoFreeGPUError{Asked: n, Free: free, Have: len(have)}
	}
	return held, nil
}
