//go:build !front

package cli

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/runs/spool"
)

const (
	// nobodyPoll is how often it is looked whether a run's owner still lives.
	nobodyPoll = 4 * statusPoll
	// handOverMost is how long a run that changes hands may have nobody.
	handOverMost = 5 * time.Second
)

// logEnd is why nothing more of a log comes than is there.
type logEnd struct {
	// closed: the log is complete, so its end mark must be there.
	closed bool
	err    error
}

// awaitEnd looks at a run whose log is followed, until nothing more comes. The log
// itself does not tell when its run was deleted, or when nobody goes on with it.
func (a *app) awaitEnd(ctx context.Context, store *runs.Store, out *screen, r *runs.Run) logEnd {
	tick := time.NewTicker(statusPoll)
	defer tick.Stop()
	var since, looked time.Time // of having nobody; zero when somebody drives it
	nobody := false
	for {
		if now := time.Now(); r.OwnerID == "" || now.Sub(looked) >= nobodyPoll {
			looked = now
			nobody = ownerless(ctx, store, r)
		}
		switch {
		case r.State == runs.Closed:
			return logEnd{closed: true}
		case !nobody:
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
			out.tell("Note: nobody drives run %s at the moment; `stephost run attach %[1]s` does, and its log goes on.", r.ID)
		case r.State.Over() && time.Since(since) > handOverMost:
			return logEnd{err: unfinishedLog(r)}
		}
		select {
		case <-ctx.Done():
			return logEnd{}
		case <-tick.C:
		}
		next, err := store.Run(ctx, r.ID)
		var missing *runs.NotFoundError
		switch {
		case errors.As(err, &missing):
			return logEnd{err: deletedLog(r.ID)}
		case err == nil: // or the store is busy: the next look tells
			r = next
		}
	}
}

// ownerless tells whether nobody drives a run. When in doubt, somebody does.
func ownerless(ctx context.Context, store *runs.Store, r *runs.Run) bool {
	if r.OwnerID == "" {
		return true
	}
	found, err := store.Ownerless(ctx)
	return err == nil && slices.ContainsFunc(found, func(o *runs.Run) bool { return o.ID == r.ID })
}

// unfinishedLog is the problem of a run that is over and whose log nobody completes.
func unfinishedLog(r *runs.Run) error {
	return &problem.Error{Summary: "the log of the run is not complete", Detail: r.StateReason, Run: r.ID, Class: problem.System,
		Next: "fetch the rest with `stephost run recover " + r.ID + "`"}
}

// deletedLog is the problem of a run that was deleted while its log was read.
func deletedLog(id string) error {
	return &problem.Error{Summary: "the run was deleted while its log was read", Detail: "What was not shown so far is gone.", Run: id, Class: problem.System,
		Next: "see what there is with `stephost run list`; `stephost run prune --older-than` keeps the newer ones"}
}

// ended tells what a log lacks behind what was shown of it.
func (c *logCopy) ended(end logEnd, err error) error {
	switch {
	case err == nil && end.err != nil:
		return end.err
	case err == nil && end.closed && !c.reader.Finished():
		c.show(&spool.Record{Kind: spool.KindGap, Gap: spool.Gap{Certainty: spool.Possible, Reason: "the log ends without its end mark"}})
		c.flush()
	}
	return err
}
