package main

import (
	_ "embed"

	"github.com/stephost/stephost/pluginsdk"
)

//go:embed flavor.hcl
var manifest []byte

func main() { pluginsdk.Main(manifest, pluginsdk.RemoteOf(newSageMaker())) }

// sagemaker is the flavor. What it holds only saves work.
type sagemaker struct {
	clients pluginsdk.Cache[*client]
}

func newSageMaker() *sagemaker { return &sagemaker{} }

var (
	_ pluginsdk.Remote[Config]             = (*sagemaker)(nil)
	_ pluginsdk.Finder[Config]             = (*sagemaker)(nil)
	_ pluginsdk.BatchStatus[Config]        = (*sagemaker)(nil)
	_ pluginsdk.LogReader[Config]          = (*sagemaker)(nil)
	_ pluginsdk.Planner[Config]            = (*sagemaker)(nil)
	_ pluginsdk.Preparer[Config]           = (*sagemaker)(nil)
	_ pluginsdk.Scoper[Config]             = (*sagemaker)(nil)
	_ pluginsdk.Validator[Config]          = (*sagemaker)(nil)
	_ pluginsdk.Preflighter[Config]        = (*sagemaker)(nil)
	_ pluginsdk.RegistryAuthorizer[Config] = (*sagemaker)(nil)
	_ pluginsdk.OutputReader[Config]       = (*sagemaker)(nil)
)
