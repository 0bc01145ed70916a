package main

import (
	"context"
	"strings"

	"cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"github.com/stephost/stephost/pluginsdk"
)

// maxOutputs bounds the list: a step may leave a million objects, and the whole
// folder is there anyway.
const maxOutputs = 1000

// outputs lists what the job left below its base output directory. Where that
// cannot be listed, or beyond maxOutputs, the folder itself stands for it: a
// verdict does not wait for a list.
func (q *session) outputs(ctx context.Context, job *aiplatformpb.CustomJob) []pluginsdk.Output {
	uri := job.GetJobSpec().GetBaseOutputDirectory().GetOutputUriPrefix()
	bucket, prefix, ok := strings.Cut(strings.TrimPrefix(uri, "gs://"), "/")
	if !ok {
		return nil
	}
	prefix = strings.TrimSuffix(prefix, "/") + "/"
	objects, err := q.ListObjects(ctx, bucket, prefix, maxOutputs+1)
	whole := []pluginsdk.Output{{Name: ".", Location: "gs://" + bucket + "/" + prefix, Bytes: -1}}
	if err != nil {
		pluginsdk.Logger(ctx).Warn("the outputs cannot be listed", "uri", uri, "error", err)
		return whole
	}
	if len(objects) > maxOutputs {
		return whole
	}
	var out []pluginsdk.Output
	for _, o := range objects {
		if strings.HasSuffix(o.Name, "/") {
			continue // a folder that the console made
		}
		out = append(out, pluginsdk.Output{Name: strings.TrimPrefix(o.Name, prefix), Location: "gs://" + bucket + "/" + o.Name, Bytes: o.Size})
	}
	return out
}
