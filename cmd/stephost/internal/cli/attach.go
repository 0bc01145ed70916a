//go:build !front

package cli

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/process"
	"github.com/stephost/stephost/proto/stephost/lifeline"
)

// envAttachPlugin is --attach-plugin for commands that have no such flag:
// NAME=DIRECTORY, several with commas between.
const envAttachPlugin = "STEPHOST_ATTACH_PLUGIN"

// relayName is the command that the host executes in place of an attached
// plugin.
const relayName = "attach-relay"

// attachFlag is for commands that start a plugin.
func (a *app) attachFlag(f *pflag.FlagSet) {
	f.StringArrayVar(&a.attach, "attach-plugin", nil, "NAME=DIRECTORY: for this flavor use the plugin that you have started, perhaps under a debugger, with "+
		lifeline.EnvAttach+"=DIRECTORY; "+envAttachPlugin+" says it too (repeatable)")
}

// attachments are the flavors whose plugin a person has started, by name.
func (a *app) attachments() (map[string]string, error) {
	words := slices.Clone(a.attach)
	for w := range strings.SplitSeq(os.Getenv(envAttachPlugin), ",") {
		if w = strings.TrimSpace(w); w != "" {
			words = append(words, w)
		}
	}
	out := map[string]string{}
	for _, w := range words {
		name, dir, ok := strings.Cut(w, "=")
		if !ok || name == "" || dir == "" {
			return nil, &problem.Error{Summary: fmt.Sprintf("%q names no flavor and directory", problem.Bound(w, 200)),
				Next: "write --attach-plugin NAME=DIRECTORY, and start the plugin with " + lifeline.EnvAttach + "=DIRECTORY"}
		}
		dir, err := filepath.Abs(a.path(dir))
		if err != nil {
			return nil, err
		}
		if _, known := out[name]; !known { // the flag comes before the variable
			out[name] = dir
		}
	}
	return out, nil
}

// sayAttached warns about plugins that are not the registered ones, before they
// are waited for.
func (a *app) sayAttached() {
	for _, name := range slices.Sorted(maps.Keys(a.attached)) {
		a.warn(fmt.Sprintf("flavor %s is the plugin that listens in %s, not the registered one; start it with %s=%s",
			name, a.attached[name], lifeline.EnvAttach, a.attached[name]))
	}
}

// attachedOnly refuses what would hand a run to a process that knows nothing of
// the attached plugin.
func (a *app) attachedOnly(detach bool) error {
	if !detach || len(a.attached) == 0 {
		return nil
	}
	return &problem.Error{Summary: "a run on an attached plugin cannot be detached",
		Detail: "The background process that owns detached runs starts the registered plugin.", Next: "leave --detach away"}
}

// relayCommand is executed by the host.
func (a *app) relayCommand() *cobra.Command {
	return command(relayName+" DIRECTORY", "Stand in for a plugin under a debugger (stephost starts it)", cobra.Command{
		Hidden: true,
		Args:   arguments(1, "a directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := context.WithCancel(cmd.Context())
			defer stop()
			signals := catch(func(os.Signal) { stop() })
			defer signals.stop()
			return process.Relay(ctx, args[0], a.stdout)
		},
	})
}
