//go:build !front

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/launch"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/runs"
)

const (
	// intentBound bounds storing a cancel. It takes milliseconds; a store that
	// is locked for longer than this is said to the person.
	intentBound = 15 * time.Second
	// secondPause separates a person who presses Ctrl-C again from a terminal
	// that sent one key press twice.
	secondPause = time.Second
)

// wish is what a signal asks for.
type wish string

const (
	wishCancel wish = "cancel" // end the job
	wishDetach wish = "detach" // leave, the run goes on in the background
	wishLeave  wish = "leave"  // leave, the run is somebody else's
)

// policy says what signals mean for a command.
type policy struct {
	// viewer never cancels and never detaches: it leaves.
	viewer bool
	// term is what SIGTERM means for an owner.
	term wish
	// terminal: a person sits there, who may press Ctrl-C twice.
	terminal bool
}

func (p policy) wish(s os.Signal) wish {
	switch {
	case p.viewer:
		return wishLeave
	case s == syscall.SIGHUP:
		return wishDetach
	case s == syscall.SIGTERM && p.term != "":
		return p.term
	default:
		return wishCancel
	}
}

// signalExit is the exit code of a command that a signal ended.
func signalExit(s os.Signal) int {
	switch s {
	case nil:
		return 0
	case os.Interrupt:
		return host.ExitInterrupt
	case syscall.SIGTERM:
		return host.ExitTerm
	case syscall.SIGHUP:
		return 129 // 128 + 1
	default:
		return host.ExitInterrupt
	}
}

func signalName(s os.Signal) string {
	switch s {
	case os.Interrupt:
		return "SIGINT"
	case syscall.SIGTERM:
		return "SIGTERM"
	case syscall.SIGHUP:
		return "SIGHUP"
	default:
		return s.String()
	}
}

// signalled obeys one signal. The first act is the durable one; only then
// anything is printed, and that by another goroutine.
func (w *watch) signalled(s os.Signal) {
	w.mu.Lock()
	cancelled, at, leaving, unstored := w.cancelSignal, w.cancelAt, w.leaving, w.unstored
	w.mu.Unlock()
	if leaving != nil {
		return
	}
	if cancelled != nil {
		again := s == os.Interrupt && w.o.policy.terminal && time.Since(at) >= secondPause
		if unstored && !w.stored() {
			// Only this process knows of the cancel: leaving would withdraw it.
			w.screen.tell("Still cancelling run %s%s, which this process must do itself: the cancel cannot be stored.", w.id, tokenText(w.id, w.token))
			return
		}
		if again {
			w.leave(s)
			w.screen.tell("Leaving. The cancel of run %s is stored and goes on in the background.", w.id)
			return
		}
		// No later signal withdraws a cancel. Whoever is about to kill this
		// process should know how to finish it.
		w.screen.tell("Still cancelling run %s%s. Should this process be killed: `stephost run cancel %[1]s` finishes it, from anywhere with this home.", w.id, tokenText(w.id, w.token))
		return
	}
	want := w.o.policy.wish(s)
	if want != wishLeave && !w.driving() {
		want = wishLeave
	}
	if want != wishCancel {
		w.leave(s)
		return
	}
	err := w.cancel(s)
	var (
		final *runs.FinalError
		alone *launch.UnstoredError
	)
	switch {
	case errors.As(err, &final):
		w.screen.tell("The run is over already; waiting for the rest of its log.")
	case errors.As(err, &alone):
		w.screen.tell("Cancelling run %s; waiting until the job is gone. The cancel could not be stored (%v): should this process be killed, make room and write `stephost run cancel %[1]s`.", w.id, alone.Err)
	case err != nil:
		p := problem.Of(err)
		w.screen.tell("%v. Next: %s", err, cmp.Or(p.Next, "try `stephost run cancel "+w.id+"`"))
		return
	default:
		w.screen.tell("Cancelling run %s; waiting until the job is gone.%s", w.id, w.secondHint())
	}
	w.mu.Lock()
	w.cancelSignal, w.cancelAt, w.unstored = s, time.Now(), alone != nil
	w.mu.Unlock()
}

// cancel stores the wish to cancel.
func (w *watch) cancel(s os.Signal) error {
	ctx, cancel := context.WithTimeout(context.Background(), intentBound)
	defer cancel()
	return w.joined().Cancel(ctx, runs.CauseSignal, fmt.Sprintf("%s to process %d", signalName(s), os.Getpid()), false)
}

// stored tries again to store a cancel that this process alone knows of.
func (w *watch) stored() bool {
	w.mu.Lock()
	s := w.cancelSignal
	w.mu.Unlock()
	if w.cancel(s) != nil {
		return false
	}
	w.mu.Lock()
	w.unstored = false
	w.mu.Unlock()
	return true
}

func (w *watch) secondHint() string {
	if !w.o.policy.terminal {
		return ""
	}
	return " Ctrl-C once more leaves that to the background."
}

// leave ends this process's part.
func (w *watch) leave(s os.Signal) {
	w.mu.Lock()
	w.leaving = s
	w.mu.Unlock()
	w.stopWait()
}

// driving tells whether the run is in this process's hands, or is about to be
// (nobody owns it). The session of a viewer tries to own the run again and
// again, and two containers may use one process ID: both words count.
func (w *watch) driving() bool {
	ctx, cancel := context.WithTimeout(context.Background(), intentBound)
	defer cancel()
	store, err := w.a.h.Runs(ctx)
	if err != nil {
		return true
	}
	r, err := store.Run(ctx, w.id)
	if err != nil || r.OwnerID == "" || r.Owner == nil {
		return true
	}
	return r.Owner.PID == os.Getpid() && w.joined().Driving()
}
