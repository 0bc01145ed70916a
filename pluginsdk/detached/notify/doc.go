// Package notify tells when something in a directory may have changed.
//
// Invariants:
//
//   - A signal means "look again", nothing more; several changes may give one.
//   - All directories of a process share one kernel object, because a user may
//     have only 128 of them: a thousand runs are watched with one.
//   - The shared goroutine lives only while something is watched.
//   - Where the kernel cannot tell (another system, a limit reached), the
//     signal comes by the clock instead.
package notify

import (
	"sync"
	"time"
)

const (
	// fallback is the pace where the kernel cannot tell: short enough that the
	// end of a step is seen soon, long enough to cost nothing.
	fallback = 50 * time.Millisecond
	// young is how long a directory is looked at by the clock before the kernel
	// is asked to watch it. Taking a watch away, also by the end of the process,
	// waits in the kernel for 0 to 20 ms (measured); most steps that are shorter
	// than this are over before anything was watched.
	young = time.Second
	// The pace while it is young: an eighth of its age, within these bounds, so
	// that the end of `true` is seen within a millisecond and a thousand young
	// runs cost little.
	soonest = time.Millisecond
	latest  = 20 * time.Millisecond
)

// Hub is the shared part. The zero Hub is ready; it must not be copied.
type Hub struct {
	hub
	grownUp bool // no young directories: the kernel watches from the start (tests)

	telling sync.Mutex
	told    map[string]map[chan struct{}]bool // who watches, by directory
}

// Signal tells everybody who watches dir, without waiting for clock or kernel.
func (h *Hub) Signal(dir string) {
	h.telling.Lock()
	defer h.telling.Unlock()
	for ch := range h.told[dir] {
		signal(ch)
	}
}

func (h *Hub) tell(dir string, ch chan struct{}) {
	h.telling.Lock()
	defer h.telling.Unlock()
	if h.told == nil {
		h.told = map[string]map[chan struct{}]bool{}
	}
	if h.told[dir] == nil {
		h.told[dir] = map[chan struct{}]bool{}
	}
	h.told[dir][ch] = true
}

func (h *Hub) untell(dir string, ch chan struct{}) {
	h.telling.Lock()
	defer h.telling.Unlock()
	delete(h.told[dir], ch)
	if len(h.told[dir]) == 0 {
		delete(h.told, dir)
	}
}

// Watch signals changes of files in dir until stop is called. The channel is
// never closed. Safe for concurrent use.
func (h *Hub) Watch(dir string) (changed <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	quit, done := make(chan struct{}), make(chan struct{})
	h.tell(dir, ch)
	go func() {
		defer close(done)
		if !h.grownUp && !byClock(ch, quit, young, youngPace) {
			return
		}
		stop, err := h.add(dir, ch)
		// What changed until now was not told by anybody.
		signal(ch)
		if err != nil {
			byClock(ch, quit, 0, func(time.Duration) time.Duration { return fallback })
			return
		}
		<-quit
		stop()
	}()
	return ch, func() {
		h.untell(dir, ch)
		close(quit)
		<-done
	}
}

func youngPace(age time.Duration) time.Duration { return min(max(age/8, soonest), latest) }

// byClock signals at a pace until quit (false), or until the limit is over
// (true); 0 is no limit.
func byClock(ch, quit chan struct{}, limit time.Duration, pace func(age time.Duration) time.Duration) bool {
	began := time.Now()
	timer := time.NewTimer(pace(0))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			signal(ch)
		case <-quit:
			return false
		}
		age := time.Since(began)
		if limit > 0 && age >= limit {
			return true
		}
		timer.Reset(pace(age))
	}
}

// signal never blocks: a signal that is already waiting says the same.
func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
