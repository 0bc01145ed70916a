//go:build !front

package cli

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/runs/spool"
)

func (a *app) runLogsCommand() *cobra.Command {
	var (
		o           logOptions
		follow      bool
		since, tail string
		attempt     int32
	)
	return a.oneRun("logs RUN", "Show the log of a run", cobra.Command{
		Long: "Show the log of a run, from the store of this machine: what the step wrote to stdout goes to stdout, the rest to stderr. Missing parts are marked.",
	}, func(c *cobra.Command) {
		f := c.Flags()
		f.BoolVarP(&follow, "follow", "f", false, "go on until the log is complete")
		f.StringVar(&since, "since", "", "leave out what is older: a duration like 10m, or a time like 2006-01-02T15:04:05Z")
		f.StringVarP(&tail, "tail", "n", "all", "the last so many lines")
		f.BoolVar(&o.timestamps, "timestamps", false, "put the time before each line")
		f.BoolVar(&o.prefix, "prefix", false, "put attempt, node and stream before each line")
		f.Int32Var(&attempt, "attempt", 0, "from this attempt on")
	}, func(ctx context.Context, r *runs.Run) error {
		read, err := readOptions(since, tail, time.Now())
		if err != nil {
			return err
		}
		if attempt < 0 || int(attempt) > len(r.Attempts) && (!follow || r.State == runs.Closed) {
			return noAttempt(r, attempt)
		}
		o.fromAttempt = attempt
		// The log of a run that is closed is all there, with its end mark or without.
		read.Follow = follow && r.State != runs.Closed
		return a.showLog(ctx, r, read, o)
	})
}

// showLog copies a log. It never owns the run.
func (a *app) showLog(ctx context.Context, r *runs.Run, read spool.ReadOptions, o logOptions) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	signals := catch(func(os.Signal) { stop() })
	defer signals.stop()
	store, err := a.store(ctx)
	if err != nil {
		return err
	}
	reader, err := spool.OpenReader(store.LogDir(r.ID), read)
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }()
	out := newScreen(a, "")
	a.kept = keptText(r.ID)
	soft, over := context.WithCancel(ctx)
	defer over()
	looking, enough := context.WithCancel(ctx)
	defer enough()
	end := logEnd{closed: r.State == runs.Closed}
	var side sync.WaitGroup
	switch {
	case read.Follow:
		side.Go(func() {
			end = a.awaitEnd(looking, store, out, r)
			over()
		})
	case r.State.Over() && r.StateReason != "":
		out.tell("Note: run %s is over, but %s; `stephost run recover %[1]s` goes on.", r.ID, r.StateReason)
	}
	c := newLogCopy(out, reader, o, soft)
	err = c.run(ctx, false)
	enough()
	side.Wait()
	err = c.ended(end, err)
	out.close()
	if err != nil {
		out.endLine()
	}
	if sig := signals.first(); sig != nil {
		a.exit = signalExit(sig)
		return nil
	}
	switch {
	case errors.Is(err, context.Canceled):
		return nil
	case errors.Is(err, spool.ErrRemoved):
		return deletedLog(r.ID)
	}
	return err
}

// noAttempt says which attempts there are.
func noAttempt(r *runs.Run, attempt int32) error {
	next := "leave --attempt out: it has had none yet"
	if n := len(r.Attempts); n > 0 {
		next = "write a number from 1 to " + itoa(n) + ", or leave --attempt out"
	}
	return &problem.Error{Summary: "there is no attempt " + itoa(int(attempt)), Run: r.ID, Next: next}
}

// readOptions turns the flags into what is read.
func readOptions(since, tail string, now time.Time) (spool.ReadOptions, error) {
	var o spool.ReadOptions
	if since != "" {
		d, err := time.ParseDuration(since)
		if err == nil {
			if d < 0 {
				return o, &problem.Error{Summary: "--since " + strconv.Quote(since) + " lies in the future", Next: "write how long ago: --since " + strings.TrimPrefix(since, "-")}
			}
			o.Since = now.Add(-d)
		} else if o.Since, err = time.Parse(time.RFC3339, since); err != nil {
			return o, &problem.Error{Summary: "--since " + strconv.Quote(problem.Bound(since, 100)) + " is neither a duration nor a time",
				Next: "write for example --since 10m or --since 2006-01-02T15:04:05Z"}
		}
	}
	if tail == "all" || tail == "" {
		return o, nil
	}
	n, err := strconv.Atoi(tail)
	if err != nil || n < 0 {
		return o, &problem.Error{Summary: "--tail " + strconv.Quote(problem.Bound(tail, 100)) + " is no number of lines", Next: "write for example --tail 100, or --tail all"}
	}
	if o.Tail = n; n == 0 {
		o.Tail = -1
	}
	return o, nil
}
