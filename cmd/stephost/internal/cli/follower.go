//go:build !front

package cli

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
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
	// the run: it starts in milliseconds, and looks twice a second when it runs
	// already.
	takenBound = 3 * time.Second
	takenPoll  = 20 * time.Millisecond
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

// handOver gives a run that this process has let go to the follower. It returns
// why nobody keeps it now, or "".
func (a *app) handOver(id string) string {
	ctx, cancel := context.WithTimeout(context.Background(), intentBound)
	defer cancel()
	session, err := a.h.Attach(ctx, id, host.SessionOptions{})
	if err == nil {
		err = session.Detach(ctx)
	}
	if err != nil {
		return "it could not be handed over: " + err.Error()
	}
	if a.h.FollowerRuns() && a.taken(ctx, id) {
		return ""
	}
	if err := a.startFollower(); err != nil {
		return "the background process could not be started: " + err.Error()
	}
	if !a.taken(ctx, id) {
		return "the background process has not taken it; see " + a.followerLog()
	}
	return ""
}

// taken waits until somebody owns the run, or it needs nobody any more.
func (a *app) taken(ctx context.Context, id string) bool {
	ctx, cancel := context.WithTimeout(ctx, takenBound)
	defer cancel()
	store, err := a.h.Runs(ctx)
	if err != nil {
		return false
	}
	tick := time.NewTicker(takenPoll)
	defer tick.Stop()
	for {
		if r, err := store.Run(ctx, id); err == nil && (r.OwnerID != "" || r.State == runs.Closed) {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
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
