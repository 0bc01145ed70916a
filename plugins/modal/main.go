package main

import (
	_ "embed"

	"github.com/stephost/stephost/plugins/modal/internal/api"
	"github.com/stephost/stephost/pluginsdk"
)

//go:embed flavor.hcl
var manifest []byte

func main() { pluginsdk.Main(manifest, pluginsdk.RemoteOf(newModal())) }

// flavor is the flavor. What it holds only saves work.
type flavor struct {
	clients pluginsdk.Cache[*api.Client]
	// environ reads the plugin's own environment.
	environ func(name string) string
	// made is told of each new client; for tests, which close them.
	made func(*api.Client)
}

func newModal() *flavor {
	f := &flavor{environ: environ, made: func(*api.Client) {}}
	f.clients.Release = func(c *api.Client) { c.Release() }
	return f
}

var (
	_ pluginsdk.Remote[Config]      = (*flavor)(nil)
	_ pluginsdk.BatchStatus[Config] = (*flavor)(nil)
	_ pluginsdk.Finder[Config]      = (*flavor)(nil)
	_ pluginsdk.LogReader[Config]   = (*flavor)(nil)
	_ pluginsdk.Planner[Config]     = (*flavor)(nil)
	_ pluginsdk.Preparer[Config]    = (*flavor)(nil)
	_ pluginsdk.Scoper[Config]      = (*flavor)(nil)
	_ pluginsdk.Validator[Config]   = (*flavor)(nil)
	_ pluginsdk.Preflighter[Config] = (*flavor)(nil)
	_ pluginsdk.Cleaner[Config]     = (*flavor)(nil)
	_ pluginsdk.ProjectSetter       = (*Config)(nil)
)
