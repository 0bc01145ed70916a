package spool

import (
	"context"
	"time"

	"github.com/fsnotify/fsnotify"
)

// pollEvery is how often a reader looks by itself: notifications of file
// systems may be missing (network, containers) or used up (a limit per user).
const pollEvery = 500 * time.Millisecond

// pollTold is how often a reader looks that its writer tells of changes: only
// for a writer in another process that replaced this one.
const pollTold = 10 * time.Second

// waiter waits for changes of a log.
type waiter struct {
	// armed is the writer's signal, taken before the last look, so that no
	// change falls in between.
	armed   <-chan struct{}
	ready   bool
	watcher *fsnotify.Watcher
}

// wait returns at the next change, at once when it only now began to listen.
func (w *waiter) wait(ctx context.Context, r *Reader) error {
	if !w.ready {
		w.ready = true
		if r.writer != nil {
			w.armed = r.writer.changed()
		}
		if w.armed == nil && w.watcher == nil {
			w.watch(r.dir)
		}
		return nil
	}
	var events <-chan fsnotify.Event
	if w.watcher != nil {
		events = w.watcher.Events
	}
	every := pollEvery
	if w.armed != nil {
		every = pollTold
	}
	timer := time.NewTimer(every)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-w.armed:
		w.ready, w.armed = false, nil
	case <-events:
		// What is in the queue of the system is drained by the next calls; the
		// look that follows sees more than one event's change.
	case <-timer.C:
		if w.watcher == nil && w.armed == nil {
			w.ready = false // the directory may exist by now
		}
	}
	return nil
}

// watch starts a watcher if the system lets it; polling goes on in any case.
func (w *waiter) watch(dir string) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return
	}
	if err := watcher.Add(dir); err != nil {
		_ = watcher.Close()
		return
	}
	w.watcher = watcher
}

func (w *waiter) close() {
	if w.watcher != nil {
		_ = w.watcher.Close()
		w.watcher = nil
	}
}
