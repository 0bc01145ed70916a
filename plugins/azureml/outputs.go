package main

import (
	"context"
	"strings"

	"github.com/stephost/stephost/pluginsdk"
)

const (
	// outputsDir is the directory that AzureML uploads by itself
	// (https://learn.microsoft.com/azure/machine-learning/how-to-log-view-metrics,
	// "outputs").
	outputsDir = "outputs/"
	// maxOutputs bounds the list: beyond it stands the directory itself.
	maxOutputs = 1000
)

// outputs lists what the step left in STEPHOST_OUTPUT_DIR. The addresses are
// those that the tools of AzureML take; they hold no signature. Where nothing can
// be listed, the directory itself stands for it: a verdict does not wait.
func (cl *client) outputs(ctx context.Context, job string) []pluginsdk.Output {
	base := artifactsOf(job)
	names, err := cl.artifacts(ctx, job, outputsDir, maxOutputs)
	if err != nil || len(names) > maxOutputs {
		if err != nil {
			pluginsdk.Logger(ctx).Warn("the outputs cannot be listed", "job", job, "error", unsigned(err))
		}
		return []pluginsdk.Output{{Name: ".", Location: base + outputsDir, Bytes: -1}}
	}
	var out []pluginsdk.Output
	for _, name := range names {
		out = append(out, pluginsdk.Output{Name: strings.TrimPrefix(name, outputsDir), Location: base + name, Bytes: -1})
	}
	return out
}
