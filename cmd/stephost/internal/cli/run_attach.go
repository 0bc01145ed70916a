//go:build !front

package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/runs"
)

func (a *app) runAttachCommand() *cobra.Command {
	var (
		o          host.SessionOptions
		l          launchFlags
		takeOver   bool
		resultFile string
	)
	return a.oneRun("attach RUN", "Join a run: its log from the start, until its end", cobra.Command{
		Annotations: stream(),
		Long: `Join a run: its log from the start, its status, and its outcome.

While another stephost drives the run this is a view, and Ctrl-C leaves it. When
nobody does, this process takes the run over, and Ctrl-C cancels it.`,
	}, func(c *cobra.Command) {
		f := c.Flags()
		f.BoolVar(&takeOver, "take-over", false, "replace an owner that cannot be judged from here (another machine): only when it is certainly gone")
		f.StringVar(&resultFile, "result-file", "", "write the result there as JSON")
		f.Var(&choice{to: &l.onTerm, of: []string{string(wishCancel), string(wishDetach)}}, "on-term", "what SIGTERM means for an owner: cancel or detach")
		f.BoolVar(&l.timestamps, "timestamps", false, "put the time before each line of the log")
		f.BoolVar(&l.prefix, "prefix", false, "put attempt, node and stream before each line of the log")
	}, func(ctx context.Context, r *runs.Run) error {
		p, err := l.policy(a)
		if err != nil {
			return err
		}
		o.TakeOver = takeOver
		switch {
		case r.State == runs.Closed:
		case r.OwnerID == "":
			a.say("Nobody else drives run %s: this process does now, and Ctrl-C cancels it.", r.ID)
		case takeOver:
			a.say("Run %s is taken over from %s: this process drives it now, and Ctrl-C cancels it.", r.ID, ownerWords(r.Owner))
		}
		return a.join(ctx, r, o, watchOptions{policy: p, resultFile: resultFile,
			log: &logOptions{timestamps: l.timestamps, prefix: l.prefix}})
	})
}

// ownerWords names an owner.
func ownerWords(o *runs.OwnerInfo) string {
	if o == nil {
		return "its owner"
	}
	return fmt.Sprintf("process %d on %s", o.PID, o.Host)
}

func (a *app) runWaitCommand() *cobra.Command {
	var resultFile string
	return a.oneRun("wait RUN", "Wait for the end of a run", cobra.Command{
		Annotations: stream(),
		Long: `Wait for the end of a run; the exit code is the run's, as with launch. Where
nobody drives the run, this process moves it on. Signals end the waiting, never
the run.`,
	}, func(c *cobra.Command) {
		c.Flags().StringVar(&resultFile, "result-file", "", "write the result there as JSON")
	}, func(ctx context.Context, r *runs.Run) error {
		return a.join(ctx, r, host.SessionOptions{Foreign: true}, watchOptions{policy: policy{viewer: true}, resultFile: resultFile})
	})
}

// join watches a run that exists.
func (a *app) join(ctx context.Context, r *runs.Run, o host.SessionOptions, w watchOptions) error {
	if err := checkResultFile(w.resultFile); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	signals := catch(func(os.Signal) { stop() })
	defer signals.stop()
	s, err := a.h.Attach(ctx, r.ID, o)
	if err != nil {
		a.failed(err, w.resultFile, signals.first())
		return nil
	}
	w.session, w.run, w.name = s, r, statusName(r.Step, r.Operator)
	a.watch(signals, w)
	return nil
}
