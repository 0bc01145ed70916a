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

import "time"

// fallback is the pace where the kernel cannot tell: short enough that the end
// of a step is seen soon, long enough to cost nothing.
const fallback = 50 * time.Millisecond

// Hub is the shared part. The zero Hub is ready; it must not be copied.
type Hub struct{ hub }

// Watch signals changes of files in dir until stop is called. The channel is
// never closed. Safe for concurrent use.
func (h *Hub) Watch(dir string) (changed <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	if stop, err := h.add(dir, ch); err == nil {
		return ch, stop
	}
	return byClock(ch)
}

// byClock signals at the pace of fallback.
func byClock(ch chan struct{}) (<-chan struct{}, func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(fallback)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				signal(ch)
			case <-quit:
				return
			}
		}
	}()
	return ch, func() {
		close(quit)
		<-done
	}
}

// signal never blocks: a signal that is already waiting says the same.
func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
