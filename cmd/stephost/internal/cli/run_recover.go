//go:build !front

package cli

import (
	"context"
	"encoding/base64"
	"errors"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/launch"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/runs"
)

func (a *app) runRecoverCommand() *cobra.Command {
	var all bool
	c := command("recover [RUN...]", "Go on with runs that nobody drives", cobra.Command{
		Long: `Go on with runs whose stephost is gone, until each is over: their logs are
fetched, their cancels finished, their leftovers removed. Runs that somebody
drives are left alone, and so are, after some seconds, those whose backend refuses
the credentials or is another one. A signal leaves the runs to the background. The
exit code is 0 when all are over.`,
		Args: func(_ *cobra.Command, args []string) error {
			if all != (len(args) == 0) {
				return &problem.Error{Summary: "which runs?", Next: "name them, or write --all: stephost run recover --all"}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.recoverRuns(cmd.Context(), args, all) },
	})
	c.Flags().BoolVar(&all, "all", false, "every run that nobody drives")
	return c
}

// nothingLeft is what recover says when it has found no run.
const nothingLeft = "Every run has somebody that drives it, or is over."

func (a *app) recoverRuns(ctx context.Context, args []string, all bool) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	// A signal leaves the runs to the background; nothing is cancelled.
	signals := catch(func(os.Signal) { stop() })
	defer signals.stop()
	store, err := a.store(ctx)
	if err != nil {
		return err
	}
	var ids []string
	for _, arg := range args {
		r, err := store.Run(ctx, arg)
		if err != nil {
			return noRun(err)
		}
		ids = append(ids, r.ID)
	}
	n, bad := 0, 0
	var left []string
	w := newScreen(a, "")
	a.notify = a.tellWaits(w)
	err = a.h.Recover(ctx, ids, all, func(r host.Recovered) {
		n++
		if r.Err != nil {
			bad++
		}
		if errors.Is(r.Err, context.Canceled) && r.Run != nil {
			left = append(left, r.Run.ID)
		}
		w.later(func() {
			w.flush()
			a.tellRecovered(r)
		})
	})
	w.close()
	if sig := signals.first(); sig != nil {
		a.exit = signalExit(sig)
		a.leaveRecovered(left)
		return nil
	}
	switch {
	case err != nil:
		return err
	case n == 0 && a.json():
		return a.encode(noticeLine{Version: streamVersion, Type: "notice", Level: "info", Message: nothingLeft})
	case n == 0:
		a.say("%s", nothingLeft)
	case bad > 0:
		a.exit = host.ExitStephost
	}
	return nil
}

// tellWaits says of each run what it does or waits for, when that changes.
func (a *app) tellWaits(w *screen) func(launch.Notice) {
	if a.json() {
		return w.notice
	}
	var mu sync.Mutex
	told := map[string]string{}
	return func(n launch.Notice) {
		if n.Kind != launch.Status {
			w.notice(n)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if now := n.Phase + "/" + n.Reason; told[n.Run] != now {
			told[n.Run] = now
			w.tell("%s", statusPlain("run "+n.Run, n))
		}
	}
}

// leaveRecovered hands the runs that this process drove to the follower.
func (a *app) leaveRecovered(ids []string) {
	if ids = a.nobodys(ids...); len(ids) == 0 {
		return
	}
	text := a.handOver(ids...)
	if text != "" {
		a.say("Nobody drives %s now: %s", strings.Join(ids, ", "), text)
		return
	}
	for _, id := range ids {
		a.say("Run %s goes on in the background.", id)
	}
}

func (a *app) tellRecovered(r host.Recovered) {
	if a.json() {
		_ = a.encode(resultLine{Result: host.ResultOf(r.Run, r.Err, 0)})
		return
	}
	if r.Run != nil && r.Run.Verdict != nil {
		a.say("%s", outcomeText(a.stderr, r.Run, time.Now()))
	}
	if r.Err != nil && !errors.Is(r.Err, context.Canceled) {
		a.problem(r.Err)
	}
}

func (a *app) runResolveCommand() *cobra.Command {
	var (
		handle                string
		notSubmitted, abandon bool
	)
	return a.oneRun("resolve RUN", "End an unknown submission by your word", cobra.Command{
		Long: `End a run of which it is unknown whether its job exists: look at the backend, then
say what you saw. Your name goes into the story of the run.

  --handle H        this is the job: stephost goes on with it. H is the handle in
                    the flavor's own words, as text, or base64:...
  --not-submitted   there is no job: the run ends as failed
  --abandon         there may be a job, and stephost forgets it: the run ends as
                    lost`,
	}, func(c *cobra.Command) {
		c.Flags().StringVar(&handle, "handle", "", "the job, in the flavor's own words")
		c.Flags().BoolVar(&notSubmitted, "not-submitted", false, "there is no job")
		c.Flags().BoolVar(&abandon, "abandon", false, "forget whatever there is")
		// For completion; whoever writes another number of them is told below.
		c.MarkFlagsMutuallyExclusive("handle", "not-submitted", "abandon")
		c.MarkFlagsOneRequired("handle", "not-submitted", "abandon")
		c.PreRunE = func(*cobra.Command, []string) error { return oneWord(handle != "", notSubmitted, abandon) }
	}, func(ctx context.Context, r *runs.Run) error {
		w := launch.Resolution{NotSubmitted: notSubmitted, Abandon: abandon, By: person()}
		if handle != "" {
			var err error
			if w.Handle, err = handleBytes(handle); err != nil {
				return err
			}
		}
		sup, err := a.h.Supervisor(ctx)
		if err != nil {
			return err
		}
		now, err := sup.Resolve(ctx, r.ID, w)
		if err != nil {
			return err
		}
		if a.json() {
			return a.encode(document{Version: documentVersion, Item: itemOf(now)})
		}
		if w.Handle != nil {
			a.say("Run %s goes on with that job; `stephost run attach %[1]s` follows it.", now.ID)
			return nil
		}
		a.say("%s", outcomeText(a.stderr, now, time.Now()))
		a.say("`stephost run recover %s` closes its record.", now.ID)
		return nil
	})
}

// oneWord refuses to end a run by no word, and by several that contradict.
func oneWord(given ...bool) error {
	n := 0
	for _, g := range given {
		if g {
			n++
		}
	}
	p := &problem.Error{Next: "look at the backend, then write one of --handle HANDLE, --not-submitted and --abandon; see `stephost run resolve --help`"}
	switch n {
	case 0:
		p.Summary = "it is not said what became of the job"
	case 1:
		return nil
	default:
		p.Summary = "only one thing can have become of the job"
	}
	return p
}

// handleBytes is a handle as a person writes it.
func handleBytes(text string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(text, "base64:")
	if !ok {
		return []byte(text), nil
	}
	b, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(b) == 0 {
		return nil, &problem.Error{Summary: "--handle is no base64", Err: err, Next: "write base64: and the bytes in standard base64, or the handle as text"}
	}
	return b, nil
}
