package main

import (
	_ "embed"
	"os"

	"github.com/stephost/stephost/plugins/local/internal/limit"
	"github.com/stephost/stephost/plugins/local/internal/notify"
	"github.com/stephost/stephost/plugins/local/internal/runner"
	"github.com/stephost/stephost/pluginsdk"
)

//go:embed flavor.hcl
var manifest []byte

func main() {
	// Before anything of the SDK: the runner is no plugin.
	if code, is := runnerMain(os.Args); is {
		os.Exit(code)
	}
	// Go asks the kernel once, with a fork, what it needs for the first start of
	// a process: now, while the host is still connecting, not within a Submit.
	go func() { _, _ = os.FindProcess(os.Getpid()) }()
	pluginsdk.Main(manifest, pluginsdk.RemoteOf(newLocal()))
}

// runnerMain is the life of a runner, if the arguments ask for one.
func runnerMain(args []string) (code int, is bool) {
	if len(args) != 3 || args[1] != runner.Argument {
		return 0, false
	}
	return runner.Main(args[2]), true
}

// local is the flavor. All its state is on disk but for the hub, which only
// saves work.
type local struct {
	hub     *notify.Hub
	machine limit.Machine
	// environ is where the step's basic variables come from.
	environ func() []string
}

func newLocal() *local {
	return &local{hub: &notify.Hub{}, environ: os.Environ}
}

var (
	_ pluginsdk.Remote[Config]      = (*local)(nil)
	_ pluginsdk.Finder[Config]      = (*local)(nil)
	_ pluginsdk.Watcher[Config]     = (*local)(nil)
	_ pluginsdk.LogReader[Config]   = (*local)(nil)
	_ pluginsdk.Planner[Config]     = (*local)(nil)
	_ pluginsdk.Scoper[Config]      = (*local)(nil)
	_ pluginsdk.Validator[Config]   = (*local)(nil)
	_ pluginsdk.Preflighter[Config] = (*local)(nil)
	_ pluginsdk.Cleaner[Config]     = (*local)(nil)
)
