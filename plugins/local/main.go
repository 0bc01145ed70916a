package main

import (
	_ "embed"
	"os"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached"
	"github.com/stephost/stephost/pluginsdk/detached/limit"
)

//go:embed flavor.hcl
var manifest []byte

func main() {
	// Before anything of the SDK: the runner is no plugin.
	if code, is := detached.RunnerMain(os.Args); is {
		os.Exit(code)
	}
	l := newLocal()
	if len(os.Args) == 1 { // else a person asks something
		go l.jobs.Warm()
	}
	pluginsdk.Main(manifest, pluginsdk.RemoteOf(l))
}

// local is the flavor. All its state is on disk.
type local struct {
	jobs    *detached.Jobs
	machine limit.Machine
	// environ is where the step's basic variables come from.
	environ func() []string
}

func newLocal() *local {
	return &local{jobs: &detached.Jobs{}, environ: os.Environ}
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
