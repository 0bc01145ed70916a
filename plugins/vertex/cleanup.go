package main

import (
	"context"
	"fmt"

	"cloud.google.com/go/aiplatform/apiv1/aiplatformpb"

	"github.com/stephost/stephost/plugins/vertex/internal/gcp"
	"github.com/stephost/stephost/pluginsdk"
)

// Cleanup removes what an ended job left. There are no leftovers: nothing is
// staged for a job, the outputs are the person's, and the marker keeps the key
// taken. Record is the job and its marker.
func (v *vertex) Cleanup(ctx context.Context, c Config, h pluginsdk.Handle, what pluginsdk.What) error {
	if what != pluginsdk.Record {
		return nil
	}
	d, err := readHandle(h)
	if err != nil {
		return err
	}
	q, err := v.open(ctx, c)
	if err != nil {
		return err
	}
	job, err := q.Jobs.GetCustomJob(ctx, &aiplatformpb.GetCustomJobRequest{Name: d.Job})
	switch {
	case gcp.IsNotFound(err):
	case err != nil:
		return q.ask(err)
	case !phaseOf(job.GetState()).Terminal():
		return fmt.Errorf("the job is not over: %s", d.Job)
	default:
		// A long-running operation; that it was accepted is enough.
		if _, err := q.Jobs.DeleteCustomJob(ctx, &aiplatformpb.DeleteCustomJobRequest{Name: d.Job}); err != nil && !gcp.IsNotFound(err) {
			return q.ask(err)
		}
	}
	for _, name := range []string{d.Marker, d.Token} {
		if d.Bucket == "" || name == "" {
			continue
		}
		if err := q.DeleteObject(ctx, d.Bucket, name, 0); err != nil {
			return q.bucketError(d.Bucket, err)
		}
	}
	return nil
}
