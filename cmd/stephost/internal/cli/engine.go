//go:build !front

package cli

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/stephost/stephost/cmd/stephost/internal/handover"
	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/launch"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/internal/version"
)

// engine is the part of an invocation that starts plugins and keeps runs.
type engine struct {
	h        *host.Host
	panics   panics
	attach   []string            // --attach-plugin
	attached map[string]string   // directories of plugins under a debugger, by flavor; made by host
	notify   func(launch.Notice) // set by commands that watch a run, before host()
}

// streamKey marks commands whose JSON is a stream that ends in a result.
const streamKey = "stephost_stream"

// stream is the mark, for cobra.Command.Annotations.
func stream() map[string]string { return map[string]string{streamKey: ""} }

// begin refuses to go on for the front of another version: what it has understood of
// the command line may mean something else here.
func (a *app) begin() error {
	if front := handover.From(); front != "" && front != version.Version {
		return &problem.Error{Summary: fmt.Sprintf("stephost is of version %s, and stephost-host, which it goes on as, of version %s", front, version.Version),
			Next: "install stephost again, with all of its files"}
	}
	return nil
}

// host makes the host; it opens nothing.
func (a *app) host() (*host.Host, error) {
	if a.h != nil {
		return a.h, nil
	}
	cat, err := a.catalog()
	if err != nil {
		return nil, err
	}
	if a.attached, err = a.attachments(); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	log, levels, err := hostLog(a.stderr, os.Getenv(envLog))
	if err != nil {
		return nil, err
	}
	a.h = host.New(host.Options{Catalog: cat, Log: log, LogLevels: levels, UnsafeStore: a.unsafeStore,
		Attach: a.attached, Panicked: a.panics.add, Relay: []string{self, relayName},
		Notify: func(n launch.Notice) {
			if a.notify != nil {
				a.notify(n)
			}
		}})
	return a.h, nil
}

// ended prints the error that a command ended with: a stream ends in a result, also
// when it never began.
func (a *app) ended(cmd *cobra.Command, err error) {
	if _, streams := cmd.Annotations[streamKey]; streams && a.json() {
		a.failed(err, "", nil)
		return
	}
	a.problem(err)
}

// passOn has nothing to do: every command is here.
func (a *app) passOn(*cobra.Command) error { return nil }

// endBound bounds ending what was started; plugins that do not end by
// themselves are killed well before.
const endBound = 20 * time.Second

// end ends what was started. What plugins have said about mistakes in their code
// is the last word.
func (a *app) end() {
	if a.h == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), endBound)
	defer cancel()
	if err := a.h.Close(ctx); err != nil {
		a.problem(err)
	}
	a.panics.write(a.stderr)
}
