package main

import (
	_ "embed"

	"github.com/stephost/stephost/plugins/vertex/internal/gcp"
	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/budget"
	"github.com/stephost/stephost/pluginsdk/follow"
)

//go:embed flavor.hcl
var manifest []byte

func main() { pluginsdk.Main(manifest, pluginsdk.RemoteOf(newVertex())) }

// vertex is the flavor. What it holds only saves work.
type vertex struct {
	clients pluginsdk.Cache[*gcp.Client]
	budgets budget.Shared
	// phases tells who reads a log whether the job waits or is over.
	phases follow.Phases
	// environ is where the default project comes from.
	environ func(name string) string
	// made is told of each new client; for tests, which close them.
	made func(*gcp.Client)
}

func newVertex() *vertex {
	v := &vertex{budgets: budget.Shared{Burst: callsBurst}, environ: environ, made: func(*gcp.Client) {}}
	v.clients.Release = func(c *gcp.Client) { c.Release() }
	return v
}

var (
	_ pluginsdk.Remote[Config]             = (*vertex)(nil)
	_ pluginsdk.BatchStatus[Config]        = (*vertex)(nil)
	_ pluginsdk.Finder[Config]             = (*vertex)(nil)
	_ pluginsdk.LogReader[Config]          = (*vertex)(nil)
	_ pluginsdk.Planner[Config]            = (*vertex)(nil)
	_ pluginsdk.Scoper[Config]             = (*vertex)(nil)
	_ pluginsdk.Validator[Config]          = (*vertex)(nil)
	_ pluginsdk.Preflighter[Config]        = (*vertex)(nil)
	_ pluginsdk.Cleaner[Config]            = (*vertex)(nil)
	_ pluginsdk.RegistryAuthorizer[Config] = (*vertex)(nil)
	_ pluginsdk.OutputReader[Config]       = (*vertex)(nil)
)
