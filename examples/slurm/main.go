package main

import (
	_ "embed"

	"github.com/stephost/stephost/pluginsdk"
)

//go:generate stephost flavor stamp flavor.hcl
//go:embed flavor.hcl
var manifest []byte

func main() { pluginsdk.Main(manifest, pluginsdk.RemoteOf(slurm{})) }

// Config has a field for every config attribute of the manifest.
type Config struct {
	SharedDir string `stephost:"shared_dir"`
	CopyWork  bool   `stephost:"copy_work"`
}

// Settings has a field for every setting of the manifest.
type Settings struct {
	Partition  string `stephost:"partition"`
	Account    string `stephost:"account"`
	QOS        string `stephost:"qos"`
	Constraint string `stephost:"constraint"`
}

// slurm holds nothing: what it knows lies with Slurm and in shared_dir.
type slurm struct{}

// What the flavor can do. The manifest's capabilities must say the same.
var (
	_ pluginsdk.Remote[Config]      = slurm{}
	_ pluginsdk.BatchStatus[Config] = slurm{}
	_ pluginsdk.Finder[Config]      = slurm{}
	_ pluginsdk.LogReader[Config]   = slurm{}
	_ pluginsdk.Planner[Config]     = slurm{}
	_ pluginsdk.Preparer[Config]    = slurm{}
	_ pluginsdk.Scoper[Config]      = slurm{}
	_ pluginsdk.Validator[Config]   = slurm{}
	_ pluginsdk.Preflighter[Config] = slurm{}
	_ pluginsdk.Cleaner[Config]     = slurm{}
)
