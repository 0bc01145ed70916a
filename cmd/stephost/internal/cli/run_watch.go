//go:build !front

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/runs/spool"
)

const (
	// statusPoll is how often a viewer asks the store for the status: the
	// notices go to the owner only.
	statusPoll = 500 * time.Millisecond
	// readerBound is how long a command that a signal ended waits for a terminal
	// or pipe that takes nothing.
	readerBound = 10 * time.Second
)

// watchOptions say how a run is watched.
type watchOptions struct {
	session *host.Session
	run     *runs.Run
	name    string // for the status
	policy  policy
	// log tells what is shown of the log; nil shows none.
	log *logOptions
	// detach: the run goes to the follower as soon as the backend has it.
	detach     bool
	resultFile string
}

// watch is a command's view of a run until its end: it drives the run or looks
// on, shows log and status, and obeys signals.
type watch struct {
	a         *app
	o         watchOptions
	id, token string
	screen    *screen
	stopWait  context.CancelFunc

	mu           sync.Mutex
	session      *host.Session
	cancelSignal os.Signal // a cancel was stored for it
	cancelAt     time.Time
	leaving      os.Signal // this process lets go for it
	unstored     bool      // the cancel is known to this process alone

	viewed bool // somebody else drives the run that this process left; set before outcome
}

// watch runs until the run is over, or this process leaves it; then the outcome
// is printed and the exit code set.
func (a *app) watch(signals *interrupts, o watchOptions) {
	w := &watch{a: a, o: o, id: o.run.ID, token: o.run.Token, session: o.session, screen: newScreen(a, o.name)}
	a.notify, a.kept = w.screen.notice, keptText(w.id)
	waiting, stop := context.WithCancel(context.Background())
	defer stop()
	w.stopWait = stop

	hard, abandon := context.WithCancel(context.Background())
	defer abandon()
	soft, ended := context.WithCancel(context.Background())
	defer ended()
	var side sync.WaitGroup
	logs := make(chan error, 1)
	if o.log == nil {
		logs <- nil
	} else {
		side.Go(func() { logs <- w.copyLog(hard, soft) })
	}
	side.Go(func() { w.pollStatus(soft) })
	signals.handOver(w.signalled)

	r, err := w.wait(waiting)
	leaving, cancelled := w.signals()
	res := w.result(r, err, leaving, cancelled)
	if leaving != nil {
		abandon()
	}
	// The file first: whoever reads it must not depend on who reads the log.
	fileErr := writeResult(o.resultFile, res)
	ended()
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		side.Wait()
		if e := <-logs; e != nil && !errors.Is(e, context.Canceled) {
			w.screen.warn("the log could not be read to its end: " + e.Error())
		}
		w.screen.close()
		w.screen.endLine()
		a.noFile(fileErr)
		w.outcome(r, err, res)
	}()
	var late <-chan time.Time
	if leaving != nil || cancelled != nil {
		late = time.After(readerBound)
	}
	select {
	case <-finished:
	case <-late:
	}
	a.exit = res.Exit
}

func (w *watch) signals() (leaving, cancelled os.Signal) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.leaving, w.cancelSignal
}

// joined is this process's present part in the run.
func (w *watch) joined() *host.Session {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.session
}

// wait waits for the run. A detached launch ends with the handing over, unless
// the run is over by then or is being cancelled.
func (w *watch) wait(ctx context.Context) (*runs.Run, error) {
	r, err := w.o.session.Wait(ctx)
	if !w.o.detach || err != nil || r == nil || r.State == runs.Closed {
		return r, err
	}
	if _, cancelled := w.signals(); cancelled == nil && r.Verdict == nil {
		return r, nil
	}
	s, err := w.a.h.Attach(ctx, w.id, host.SessionOptions{})
	if err != nil {
		return r, err
	}
	w.mu.Lock()
	w.session = s
	w.mu.Unlock()
	return s.Wait(ctx)
}

// copyLog copies the log from its start.
func (w *watch) copyLog(hard, soft context.Context) error {
	reader, err := w.o.session.Log(hard, spool.ReadOptions{Follow: true})
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }()
	return newLogCopy(w.screen, reader, *w.o.log, soft).run(hard, true)
}

// pollStatus shows the status of a run that another process drives.
func (w *watch) pollStatus(ctx context.Context) {
	tick := time.NewTicker(statusPoll)
	defer tick.Stop()
	var seen int64
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if w.joined().Driving() {
			continue
		}
		store, err := w.a.h.Runs(ctx)
		if err != nil {
			return
		}
		r, err := store.Run(ctx, w.id)
		if err != nil {
			continue
		}
		if at := r.UpdatedAt.UnixNano(); at != seen && r.State != runs.Closed {
			seen = at
			w.screen.notice(noticeOf(r))
		}
	}
}

// result is the outcome as data. A process that leaves hands the run over first.
func (w *watch) result(r *runs.Run, err error, leaving, cancelled os.Signal) host.Result {
	if r == nil {
		r = w.o.run
	}
	if leaving != nil && r.State != runs.Closed {
		res := host.ResultOf(r, nil, 0)
		res.Class, res.Exit = classDetached, signalExit(leaving)
		res.CancelUnconfirmed = cancelled != nil
		res.Next = "come back with `stephost run attach " + w.id + "`"
		if w.viewed = len(w.a.nobodys(w.id)) == 0; !w.viewed {
			if text := w.a.handOver(w.id); text != "" {
				res.Error = text
				res.Next = "go on with `stephost run recover " + w.id + "`"
			}
		}
		return res
	}
	if w.o.detach && err == nil && r.Verdict == nil {
		res := host.ResultOf(r, nil, 0)
		res.Class, res.Exit = classDetached, 0
		res.Next = "come back with `stephost run attach " + w.id + "`"
		if text := w.a.handOver(w.id); text != "" {
			res.Error = text
			res.Next = "go on with `stephost run recover " + w.id + "`"
		}
		return res
	}
	return host.ResultOf(r, err, signalExit(cancelled))
}

// keptText is where to see again what a watched run has printed.
func keptText(id string) string {
	return fmt.Sprintf("the run is unharmed: `stephost run logs %[1]s` shows its log, `stephost run show %[1]s` how it stands", id)
}

// classDetached is the class of a result of which the run goes on.
const classDetached = "detached"

// outcome prints how it ended.
func (w *watch) outcome(r *runs.Run, err error, res host.Result) {
	a := w.a
	if a.json() {
		_ = a.encode(resultLine{Result: res, Diagnostics: a.jsonDiagnostics(err)})
		return
	}
	if res.Class == classDetached {
		w.left(res)
		return
	}
	if r != nil && r.Verdict != nil {
		a.say("%s", outcomeText(a.stderr, r, time.Now()))
	}
	if err != nil {
		a.problem(err)
	}
}

// left says what goes on and how to come back.
func (w *watch) left(res host.Result) {
	a := w.a
	if w.o.detach && res.Exit == 0 {
		// What was asked for: the ID alone on stdout, for scripts.
		_, _ = a.stdout.Write([]byte(res.Run + "\n"))
	}
	switch {
	case w.viewed:
		a.say("Run %s goes on without this viewer.", res.Run)
	case res.Error != "":
		a.say("Run %s goes on at the backend, but nobody keeps its timeouts, retries and log: %s", res.Run, res.Error)
	case res.CancelUnconfirmed:
		a.say("Run %s is being cancelled in the background.", res.Run)
	default:
		a.say("Run %s%s goes on in the background.", res.Run, tokenText(res.Run, res.Token))
	}
	a.say("%s %s; cancel with `stephost run cancel %s`.", paint(a.stderr, bold, "Next:"), res.Next, res.Run)
}

// failed ends a streaming command that has no run: the error and, for programs,
// a result.
func (a *app) failed(err error, resultFile string, s os.Signal) {
	res := host.ResultOf(nil, err, 0)
	res.Error = strings.TrimPrefix(res.Error, noPlace)
	res.Class = string(problem.Of(err).Class)
	if res.Class == "" {
		res.Class = string(problem.Config)
	}
	if s != nil {
		res.Class, res.Error, res.Next, res.Exit = string(problem.Cancelled), "ended by "+signalName(s)+" before there was a run", "", signalExit(s)
	}
	a.noFile(writeResult(resultFile, res))
	switch {
	case a.json():
		_ = a.encode(resultLine{Result: res, Diagnostics: a.jsonDiagnostics(err)})
	case s != nil:
		a.say("Ended by %s; nothing was launched.", signalName(s))
	default:
		a.problem(err)
	}
	a.exit = res.Exit
}

// noFile says that the result could not be written to its file. It comes before the
// result on stdout, which is the last line of a stream.
func (a *app) noFile(err error) {
	switch {
	case err == nil:
	case a.json():
		p := problem.Of(err)
		_ = a.encode(noticeLine{Version: streamVersion, Type: "notice", Level: "warning", Run: p.Run, Message: p.Error() + "; " + p.Next})
	default:
		a.problem(err)
	}
}

// streamWarnings shows warnings about what was written, in the shape of a stream.
func (a *app) streamWarnings(diags hcl.Diagnostics) {
	if len(diags) == 0 {
		return
	}
	if a.json() {
		_ = a.encode(noticeLine{Version: streamVersion, Type: "notice", Level: "warning", Diagnostics: a.h.Sources().JSON(diags)})
		return
	}
	a.diagnostics(diags)
}

// tokenText names the token where somebody chose it.
func tokenText(id, token string) string {
	if token == id {
		return ""
	}
	return " (token " + oneLine(token) + ")"
}
