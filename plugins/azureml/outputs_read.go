package main

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/stephost/stephost/pluginsdk"
)

// artifactsOf begins the addresses of what a job left.
func artifactsOf(job string) string { return "azureml://jobs/" + job + "/outputs/artifacts/paths/" }

// artifactOf is the job, and the path of one of its outputs. Nothing else is
// read, whatever a record says.
func artifactOf(h pluginsdk.Handle, location string) (job, path string, err error) {
	d, err := readHandle(h)
	if err != nil {
		return "", "", err
	}
	path, ok := strings.CutPrefix(location, artifactsOf(d.Job))
	if !ok || !strings.HasPrefix(path+"/", outputsDir) {
		return "", "", pluginsdk.Config("", "%s is no output of the job %s", location, d.Job)
	}
	return d.Job, strings.TrimRight(path, "/"), nil
}

// OutputFiles lists the files of an output: one without a name, or those below
// it. AzureML tells no sizes.
func (g *azureml) OutputFiles(ctx context.Context, c Config, h pluginsdk.Handle, location string) ([]pluginsdk.OutputFile, error) {
	job, path, err := artifactOf(h, location)
	if err != nil {
		return nil, err
	}
	cl, err := g.open(ctx, c)
	if err != nil {
		return nil, err
	}
	var files []pluginsdk.OutputFile
	one := false
	err = cl.eachArtifact(ctx, job, path, func(a artifact) bool {
		if one = a.path() == path; one {
			return false
		}
		if name, below := strings.CutPrefix(a.path(), path+"/"); below && name != "" {
			files = append(files, pluginsdk.OutputFile{Name: name, Bytes: -1})
		}
		return true
	})
	switch {
	case gone(err):
		return nil, pluginsdk.ErrNoOutput
	case err != nil:
		return nil, cl.ask(err)
	case one:
		return []pluginsdk.OutputFile{{Bytes: -1}}, nil
	}
	return files, nil
}

// OpenOutput reads a file from its blob, or what stands in it behind an offset.
// The blob's address has a signature that ends (assumption: after hours), so each
// read asks for it anew.
func (g *azureml) OpenOutput(ctx context.Context, c Config, h pluginsdk.Handle, r pluginsdk.OutputRead) (f pluginsdk.OutputFile, body io.ReadCloser, err error) {
	job, path, err := artifactOf(h, r.Location)
	if err != nil {
		return f, nil, err
	}
	if r.Name != "" {
		path += "/" + r.Name
	}
	cl, err := g.open(ctx, c)
	if err != nil {
		return f, nil, err
	}
	address := ""
	if err := cl.eachArtifact(ctx, job, path, func(a artifact) bool {
		if a.path() == path {
			address = a.ContentURI
		}
		return address == ""
	}); err != nil && !gone(err) {
		return f, nil, cl.ask(err)
	}
	if address == "" {
		return f, nil, pluginsdk.ErrNoOutput
	}
	client, err := blob.NewClientWithNoCredential(address, &blob.ClientOptions{ClientOptions: policy.ClientOptions{
		Transport: cl.http, Retry: policy.RetryOptions{MaxRetries: -1},
	}})
	if err != nil {
		return f, nil, pluginsdk.Unreachable(unsigned(err))
	}
	answer, err := client.DownloadStream(ctx, &blob.DownloadStreamOptions{Range: blob.HTTPRange{Offset: r.Offset}})
	switch {
	case statusCode(err) == http.StatusNotFound:
		return f, nil, pluginsdk.ErrNoOutput
	case statusCode(err) == http.StatusRequestedRangeNotSatisfiable:
		return f, nil, pluginsdk.ErrOutputRange
	case err != nil:
		return f, nil, pluginsdk.Unreachable(unsigned(err))
	}
	f = pluginsdk.OutputFile{Bytes: -1}
	if answer.ContentLength != nil {
		f.Bytes = r.Offset + *answer.ContentLength
	}
	if answer.ETag != nil {
		f.Version = string(*answer.ETag)
	}
	if answer.LastModified != nil {
		f.ModifiedAt = *answer.LastModified
	}
	return f, answer.Body, nil
}
