package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

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
	err = cl.s3.list(ctx, bucket, key, func(o object) bool {
		name, below := strings.CutPrefix(o.Key, key+"/")
		f := pluginsdk.OutputFile{Name: name, Bytes: o.Size, Version: o.ETag, ModifiedAt: o.LastModified}
		switch {
		case o.Key == key:
			f.Name = ""
			files = []pluginsdk.OutputFile{f}
			return false
		case below && !strings.HasSuffix(name, "/") && name != "": // no folder that the console made
			files = append(files, f)
		}
		return true
	})
	if err != nil {
		return nil, cl.askObject(err)
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
	bytes := ""
	if r.Offset > 0 {
		bytes = fmt.Sprintf("bytes=%d-", r.Offset)
	}
	answer, err := cl.s3.get(ctx, bucket, key, bytes)
	if err != nil {
		return f, nil, cl.askObject(err)
	}
	f = pluginsdk.OutputFile{Bytes: answer.ContentLength, Version: answer.Header.Get("ETag")}
	f.ModifiedAt, _ = http.ParseTime(answer.Header.Get("Last-Modified")) // zero = not told
	if r.Offset > 0 {
		if f.Bytes, err = wholeSize(answer.Header.Get("Content-Range")); err != nil {
			_ = answer.Body.Close() // it is not read
			return f, nil, pluginsdk.Unreachable(err)
		}
	}
	return f, answer.Body, nil
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
