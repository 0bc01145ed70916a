//go:build !front

package cli

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/runs"
)

const (
	// followerLogLimit is the size at which the follower's log is begun anew;
	// the former one is kept beside it.
	followerLogLimit = 4 << 20
	// takenBound is how long a command that leaves waits for the follower to own
	// the run before it looks whether one lives: it starts in milliseconds, and looks
	// twice a second when it runs already.
	takenBound = 3 * time.Second
	// handBound is how long it waits in all, for a follower with a lot to do.
	handBound = 30 * time.Second
	takenPoll = 20 * time.Millisecond
	takenSlow = 500 * time.Millisecond // where it has taken long: many may wait
)

// hidden are the commands that stephost itself starts.
func (a *app) hidden() []*cobra.Command {
	return []*cobra.Command{a.followerCommand(), a.relayCommand()}
}

// followerCommand owns the detached runs of this home until the last one is
// over. It is started by whoever leaves a run.
func (a *app) followerCommand() *cobra.Command {
	return command("follower", "Own the detached runs of this home (stephost starts it)", cobra.Command{
		Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := context.WithCancel(cmd.Context())
			defer stop()
			// A signal ends the follower; its runs go on at the backend, and the
			// next follower, attach or recover finds them.
			signals := catch(func(os.Signal) { stop() })
			defer signals.stop()
			h, err := a.host()
			if err != nil {
				return err
			}
			_, err = h.Follow(ctx)
			if s := signals.first(); s != nil && errors.Is(err, context.Canceled) {
				a.exit = signalExit(s)
				return nil
			}
			return err
		},
	})
}

// handOver gives runs that this process has let go to the follower. It returns why
// nobody keeps them now, or "".
func (a *app) handOver(ids ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), handBound)
	defer cancel()
	fences := map[string]int64{}
	for _, id := range ids {
		fence, err := a.detach(ctx, id)
		if err != nil {
			return "it could not be handed over: " + err.Error()
		}
		fences[id] = fence
	}
	for {
		if !a.h.FollowerRuns() {
			if err := a.h.StartFollower(ctx, a.startFollower); err != nil {
				return "the background process could not be started: " + err.Error()
			}
		}
		if a.taken(ctx, fences) {
			return ""
		}
		switch lives := a.h.FollowerRuns(); {
		case lives && ctx.Err() == nil: // it has a lot to do
		case lives:
			return "" // and looks for runs that nobody has until there are none
		case ctx.Err() != nil:
			return "the background process has not taken it; see " + a.followerLog()
		}
	}
}

// detach marks a run as one for the follower where it is none yet, and returns the
// fence that it has then.
func (a *app) detach(ctx context.Context, id string) (int64, error) {
	store, err := a.h.Runs(ctx)
	if err != nil {
		return 0, err
	}
	r, err := store.Run(ctx, id)
	if err != nil || r.Detached {
		return fenceOf(r), err
	}
	session, err := a.h.Attach(ctx, id, host.SessionOptions{})
	if err != nil {
		return 0, err
	}
	if err := session.Detach(ctx); err != nil {
		return 0, err
	}
	r, err = store.Run(ctx, id)
	return fenceOf(r), err
}

func fenceOf(r *runs.Run) int64 {
	if r == nil {
		return 0
	}
	return r.Fence
}

// taken waits until each of the runs, with the fence that it had, was taken by somebody,
// or needs nobody any more.
func (a *app) taken(ctx context.Context, fences map[string]int64) bool {
	ctx, cancel := context.WithTimeout(ctx, takenBound)
	defer cancel()
	store, err := a.h.Runs(ctx)
	if err != nil {
		return false
	}
	for pause := takenPoll; ; pause = min(pause*5/4, takenSlow) {
		for id, fence := range fences {
			if r, err := store.Run(ctx, id); err == nil && (r.OwnerID != "" || r.Fence > fence || r.State == runs.Closed) {
				delete(fences, id)
			}
		}
		if len(fences) == 0 {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pause):
		}
	}
}

// nobodys tells which of the runs nobody drives, now that this process has let them go.
func (a *app) nobodys(ids ...string) []string {
	ctx, cancel := context.WithTimeout(context.Background(), intentBound)
	defer cancel()
	store, err := a.h.Runs(ctx)
	if err != nil {
		return ids
	}
	found, err := store.Ownerless(ctx)
	if err != nil {
		return ids
	}
	var out []string
	for _, id := range ids {
		if slices.ContainsFunc(found, func(r *runs.Run) bool { return r.ID == id }) {
			out = append(out, id)
		}
	}
	return out
}

func (a *app) followerLog() string { return filepath.Join(a.h.Home().Root(), "follower.log") }

// startFollower starts the background process: in a session of its own, so that
// neither a closed terminal nor a signal to this process group ends it.
func (a *app) startFollower() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	path := a.followerLog()
	if info, err := os.Stat(path); err == nil && info.Size() > followerLogLimit {
		if err := os.Rename(path, path+".old"); err != nil {
			return err
		}
	}
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	args := []string{"follower"}
	if a.unsafeStore {
		args = append(args, "--unsafe-store")
	}
	cmd := exec.Command(self, args...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, a.h.Home().Root()
	cmd.Env = os.Environ()
	if os.Getenv(envLog) == "" {
		cmd.Env = append(cmd.Env, envLog+"=warn")
	}
	cmd.SysProcAttr = ownSession()
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Process.Release()
}
