package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/stephost/stephost/pluginsdk"
)

// objectOf is the bucket and key of an output of this job. SageMaker writes below
// OUTPUT_PATH/JOB/output
// (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_OutputDataConfig.html),
// and a job's name is its key: nothing else is read, whatever a record says.
func objectOf(h pluginsdk.Handle, location string) (bucket, key string, err error) {
	job, err := jobOf(h)
	if err != nil {
		return "", "", err
	}
	bucket, key, ok := strings.Cut(strings.TrimPrefix(location, "s3://"), "/")
	if !ok || !strings.HasPrefix(location, "s3://") || !strings.Contains("/"+key, "/"+job+"/output/") {
		return "", "", pluginsdk.Config("", "%s is no output of the training job %s", location, job)
	}
	return bucket, strings.TrimRight(key, "/"), nil
}

// OutputFiles lists the objects of an output: one without a name, or those below
// it.
func (g *sagemaker) OutputFiles(ctx context.Context, c Config, h pluginsdk.Handle, location string) ([]pluginsdk.OutputFile, error) {
	bucket, key, err := objectOf(h, location)
	if err != nil {
		return nil, err
	}
	cl, err := g.open(ctx, c)
	if err != nil {
		return nil, err
	}
	var files []pluginsdk.OutputFile
	for page := s3.NewListObjectsV2Paginator(cl.s3, &s3.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: aws.String(key)}); page.HasMorePages(); {
		out, err := page.NextPage(ctx)
		if err != nil {
			return nil, cl.askObject(err)
		}
		for _, o := range out.Contents {
			name, below := strings.CutPrefix(aws.ToString(o.Key), key+"/")
			f := pluginsdk.OutputFile{Name: name, Bytes: aws.ToInt64(o.Size), Version: aws.ToString(o.ETag), ModifiedAt: aws.ToTime(o.LastModified)}
			switch {
			case aws.ToString(o.Key) == key:
				f.Name = ""
				return []pluginsdk.OutputFile{f}, nil
			case below && !strings.HasSuffix(name, "/") && name != "": // no folder that the console made
				files = append(files, f)
			}
		}
	}
	return files, nil
}

// OpenOutput reads an object, or what stands in it behind an offset.
func (g *sagemaker) OpenOutput(ctx context.Context, c Config, h pluginsdk.Handle, r pluginsdk.OutputRead) (f pluginsdk.OutputFile, body io.ReadCloser, err error) {
	bucket, key, err := objectOf(h, r.Location)
	if err != nil {
		return f, nil, err
	}
	if r.Name != "" {
		key += "/" + r.Name
	}
	cl, err := g.open(ctx, c)
	if err != nil {
		return f, nil, err
	}
	in := &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)}
	if r.Offset > 0 {
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", r.Offset))
	}
	out, err := cl.s3.GetObject(ctx, in, func(o *s3.Options) { o.DisableLogOutputChecksumValidationSkipped = true })
	if err != nil {
		return f, nil, cl.askObject(err)
	}
	f = pluginsdk.OutputFile{Bytes: aws.ToInt64(out.ContentLength), Version: aws.ToString(out.ETag), ModifiedAt: aws.ToTime(out.LastModified)}
	if r.Offset > 0 {
		if f.Bytes, err = wholeSize(aws.ToString(out.ContentRange)); err != nil {
			_ = out.Body.Close() // it is not read
			return f, nil, pluginsdk.Unreachable(err)
		}
	}
	return f, out.Body, nil
}

// wholeSize reads the size of an object from the answer to a range of it:
// "bytes 5-9/10".
func wholeSize(contentRange string) (int64, error) {
	_, size, _ := strings.Cut(contentRange, "/")
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("S3 answers a range with %q", contentRange)
	}
	return n, nil
}

// askObject gives an error of S3 its meaning.
func (cl *client) askObject(err error) error {
	var r *smithyhttp.ResponseError
	if errors.As(err, &r) {
		switch r.HTTPStatusCode() {
		case http.StatusNotFound:
			return pluginsdk.ErrNoOutput
		case http.StatusRequestedRangeNotSatisfiable:
			return pluginsdk.ErrOutputRange
		}
	}
	return cl.ask(err)
}
