//go:build !front

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"

	"github.com/spf13/cobra"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/launch"
	"github.com/stephost/stephost/host/runs"
)

func (a *app) runCancelCommand() *cobra.Command {
	var force, noWait bool
	return a.oneRun("cancel RUN", "Cancel a run and wait until the job is gone", cobra.Command{
		Annotations: stream(),
		Long: `Cancel a run and wait until the backend confirms that the job is gone. The wish
is stored first: whoever drives the run obeys it, and when nobody does, this
process does. The exit code is 0 when the run is over, 125 when the cancel is not
confirmed.`,
	}, func(c *cobra.Command) {
		c.Flags().BoolVar(&force, "force", false, "ask for a hard stop where the backend has one")
		c.Flags().BoolVar(&noWait, "no-wait", false, "only store the wish; somebody must drive the run")
	}, func(ctx context.Context, r *runs.Run) error {
		return a.cancelRun(ctx, r, force, noWait)
	})
}

func (a *app) cancelRun(ctx context.Context, r *runs.Run, force, noWait bool) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	signals := catch(func(os.Signal) { stop() })
	defer signals.stop()
	s, err := a.h.Attach(ctx, r.ID, host.SessionOptions{Foreign: true})
	if err != nil {
		return err
	}
	err = s.Cancel(ctx, runs.CauseUser, person(), force)
	var final *runs.FinalError
	if err != nil && !errors.As(err, &final) {
		return err
	}
	if final != nil {
		a.say("Run %s is over already.", r.ID)
	}
	if noWait {
		return a.cancelled(r)
	}
	w := newScreen(a, statusName(r.Step, r.Operator))
	a.notify = w.notice
	done, err := s.Wait(ctx)
	w.close()
	if sig := signals.first(); sig != nil {
		a.exit = signalExit(sig)
		text := "`stephost run cancel " + r.ID + "` waits for it again"
		if len(a.nobodys(r.ID)) > 0 { // this process was the one that asked the backend
			if why := a.handOver(r.ID); why != "" {
				text = "`stephost run cancel " + r.ID + "` goes on with it: nobody does, " + why
			} else {
				text = "it goes on in the background, and " + text
			}
		}
		a.say("The cancel of run %s is stored; %s.", r.ID, text)
		return nil
	}
	if err != nil && !launch.VerdictStands(err) {
		return err
	}
	if err != nil {
		a.problem(err)
	}
	return a.cancelled(done)
}

// cancelled says what came of it.
func (a *app) cancelled(r *runs.Run) error {
	if a.json() {
		return a.encode(resultLine{Result: cancelResult(r)})
	}
	if r.Verdict == nil {
		a.say("The cancel of run %s is stored.", r.ID)
		return nil
	}
	return a.item(nil, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "run %s %s\n", r.ID, verdictWord(r.Verdict))
		return err
	})
}

// cancelResult is the run's result with this command's own exit code.
func cancelResult(r *runs.Run) host.Result {
	res := host.ResultOf(r, nil, 0)
	res.Exit = 0
	return res
}

// person is who gives an order, as the story of the run tells it.
func person() string {
	name := "somebody"
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	return fmt.Sprintf("%s@%d", name, os.Getpid())
}
