package main

import (
	"context"
	"path"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	api "github.com/aws/aws-sdk-go-v2/service/sagemaker"

	"github.com/stephost/stephost/pluginsdk"
)

// maxOutputs bounds the list: beyond it stands the directory itself.
const maxOutputs = 1000

// outputs lists what the step left in STEPHOST_OUTPUT_DIR, which SageMaker has
// uploaded by the end of the job. Who may not list the bucket gets the URI alone.
func (cl *client) outputs(ctx context.Context, d *api.DescribeTrainingJobOutput) []pluginsdk.Output {
	if d.ModelArtifacts == nil || d.TrainingStartTime == nil {
		return nil
	}
	uri := aws.ToString(d.ModelArtifacts.S3ModelArtifacts)
	bucket, prefix, ok := strings.Cut(strings.TrimPrefix(uri, "s3://"), "/")
	if !ok || !strings.HasPrefix(uri, "s3://") {
		return nil
	}
	whole := []pluginsdk.Output{{Name: ".", Location: uri, Bytes: -1}}
	if strings.HasSuffix(uri, ".tar.gz") {
		whole[0].Name = path.Base(uri)
	}
	var found []pluginsdk.Output
	for page := s3.NewListObjectsV2Paginator(cl.s3, &s3.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: aws.String(prefix)}); page.HasMorePages(); {
		out, err := page.NextPage(ctx)
		if err != nil {
			return whole
		}
		for _, o := range out.Contents {
			key := aws.ToString(o.Key)
			name := strings.TrimPrefix(strings.TrimPrefix(key, prefix), "/")
			if name == "" {
				name = path.Base(key)
			}
			found = append(found, pluginsdk.Output{Name: name, Location: "s3://" + bucket + "/" + key, Bytes: aws.ToInt64(o.Size)})
			if len(found) > maxOutputs {
				return whole
			}
		}
	}
	return found
}
