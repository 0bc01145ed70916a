package limit

import (
	"hash/fnv"
	"runtime"

	"golang.org/x/sys/unix"
)

// HaveCPUs is the number of cores that this process may use.
func HaveCPUs() int64 {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return int64(runtime.NumCPU())
	}
	return int64(set.Count())
}

// Pin runs start on a thread that may use n of this process's cores only; what
// it starts inherits that. The key chooses which cores, so that several steps
// do not all meet on the first ones. n = 0 leaves the cores alone.
func Pin(n int64, key string, start func() error) error {
	if n == 0 {
		return start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return err
	}
	if have := int64(all.Count()); n > have {
		return &TooMuchError{What: "cpu", Asked: n, Have: have}
	}
	chosen := choose(&all, int(n), key)
	if err := unix.SchedSetaffinity(0, &chosen); err != nil {
		return err
	}
	defer unix.SchedSetaffinity(0, &all)
	return start()
}

// choose takes n neighbours of all, from a place that key decides.
func choose(all *unix.CPUSet, n int, key string) unix.CPUSet {
	var cores []int
	for i := 0; len(cores) < all.Count(); i++ {
		if all.IsSet(i) {
			cores = append(cores, i)
		}
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	first := int(h.Sum32() % uint32(len(cores)))
	var chosen unix.CPUSet
	for i := range n {
		chosen.Set(cores[(first+i)%len(cores)])
	}
	return chosen
}

// CanPin tells whether affinity can be set here.
const CanPin = true
