package main

import (
	_ "embed"
	"os"

	"github.com/stephost/stephost/plugins/kubernetes/job"
	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached"
)

//go:embed flavor.hcl
var manifest []byte

func main() {
	// Before anything of the SDK: the runner is no plugin.
	if code, is := detached.RunnerMain(os.Args); is {
		os.Exit(code)
	}
	detached.Warm()
	pluginsdk.Main(manifest, pluginsdk.RemoteOf(newSpark()))
}

// spark is the flavor. All its state is on disk, but for what Spark's UIs were
// last asked, which only saves calls.
type spark struct {
	jobs *detached.Jobs
	kube *job.Flavor
	seen *seen
	// environ is where the driver's basic variables come from.
	environ func() []string
}

func newSpark() *spark {
	f := &spark{jobs: &detached.Jobs{}, kube: job.New(), seen: newSeen(), environ: os.Environ}
	f.kube.Refine = f.refineDriver
	return f
}

var (
	_ pluginsdk.Remote[Config]      = (*spark)(nil)
	_ pluginsdk.Preparer[Config]    = (*spark)(nil)
	_ pluginsdk.Finder[Config]      = (*spark)(nil)
	_ pluginsdk.Watcher[Config]     = (*spark)(nil)
	_ pluginsdk.LogReader[Config]   = (*spark)(nil)
	_ pluginsdk.Planner[Config]     = (*spark)(nil)
	_ pluginsdk.Scoper[Config]      = (*spark)(nil)
	_ pluginsdk.Validator[Config]   = (*spark)(nil)
	_ pluginsdk.Preflighter[Config] = (*spark)(nil)
	_ pluginsdk.Cleaner[Config]     = (*spark)(nil)
)
