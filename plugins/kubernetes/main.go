package main

import (
	_ "embed"

	"github.com/stephost/stephost/plugins/kubernetes/job"
	"github.com/stephost/stephost/pluginsdk"
)

//go:embed flavor.hcl
var manifest []byte

func main() { pluginsdk.Main(manifest, pluginsdk.RemoteOf(job.New())) }
