package main

import (
	_ "embed"

	"github.com/stephost/stephost/pluginsdk"
)

//go:embed flavor.hcl
var manifest []byte

func main() { pluginsdk.Main(manifest, pluginsdk.RemoteOf(newAzureML())) }

// azureml is the flavor. What it holds only saves work.
type azureml struct {
	clients pluginsdk.Cache[*client]
}

func newAzureML() *azureml {
	g := &azureml{}
	g.clients.Release = func(cl *client) { cl.http.CloseIdleConnections() }
	return g
}

var (
	_ pluginsdk.Remote[Config]             = (*azureml)(nil)
	_ pluginsdk.Finder[Config]             = (*azureml)(nil)
	_ pluginsdk.BatchStatus[Config]        = (*azureml)(nil)
	_ pluginsdk.LogReader[Config]          = (*azureml)(nil)
	_ pluginsdk.Planner[Config]            = (*azureml)(nil)
	_ pluginsdk.Preparer[Config]           = (*azureml)(nil)
	_ pluginsdk.Scoper[Config]             = (*azureml)(nil)
	_ pluginsdk.Validator[Config]          = (*azureml)(nil)
	_ pluginsdk.Preflighter[Config]        = (*azureml)(nil)
	_ pluginsdk.RegistryAuthorizer[Config] = (*azureml)(nil)
	_ pluginsdk.OutputReader[Config]       = (*azureml)(nil)
)
