package main

import (
	"context"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/stephost/stephost/plugins/vertex/internal/gcp"
	"github.com/stephost/stephost/pluginsdk"
)

// objectOf is the bucket and the object of an output of this job. The key is part
// of the place that the job was given: nothing else is read, whatever a record
// says.
func (c Config) objectOf(h pluginsdk.Handle, location string) (bucket, object string, err error) {
	d, err := readHandle(h)
	if err != nil {
		return "", "", err
	}
	bucket, prefix := c.outputs(d.Key)
	object, ok := strings.CutPrefix(location, "gs://"+bucket+"/")
	if !ok || bucket == "" || object != prefix && !strings.HasPrefix(object, prefix+"/") {
		return "", "", pluginsdk.Config("", "%s is no output of the job %s", location, d.Job)
	}
	return bucket, strings.TrimRight(object, "/"), nil
}

// OutputFiles lists the objects of an output: one without a name, or those below
// it.
func (v *vertex) OutputFiles(ctx context.Context, c Config, h pluginsdk.Handle, location string) ([]pluginsdk.OutputFile, error) {
	bucket, object, err := c.objectOf(h, location)
	if err != nil {
		return nil, err
	}
	s, err := v.open(ctx, c)
	if err != nil {
		return nil, err
	}
	list, err := s.ListObjects(ctx, bucket, object, math.MaxInt)
	if err != nil {
		return nil, s.askObject(err)
	}
	var files []pluginsdk.OutputFile
	for _, o := range list {
		name, below := strings.CutPrefix(o.Name, object+"/")
		switch {
		case o.Name == object:
			return []pluginsdk.OutputFile{fileOf("", o)}, nil
		case below && name != "" && !strings.HasSuffix(name, "/"): // no folder that the console made
			files = append(files, fileOf(name, o))
		}
	}
	return files, nil
}

// OpenOutput reads an object, or what stands in it behind an offset.
func (v *vertex) OpenOutput(ctx context.Context, c Config, h pluginsdk.Handle, r pluginsdk.OutputRead) (pluginsdk.OutputFile, io.ReadCloser, error) {
	bucket, object, err := c.objectOf(h, r.Location)
	if err != nil {
		return pluginsdk.OutputFile{}, nil, err
	}
	if r.Name != "" {
		object += "/" + r.Name
	}
	s, err := v.open(ctx, c)
	if err != nil {
		return pluginsdk.OutputFile{}, nil, err
	}
	o, body, err := s.OpenObject(ctx, bucket, object, r.Offset)
	if err != nil {
		return pluginsdk.OutputFile{}, nil, s.askObject(err)
	}
	return fileOf(r.Name, o), body, nil
}

// fileOf: a generation is another one with every change of the content
// (https://cloud.google.com/storage/docs/metadata#generation-number).
func fileOf(name string, o gcp.Object) pluginsdk.OutputFile {
	f := pluginsdk.OutputFile{Name: name, Bytes: o.Size, ModifiedAt: o.Updated}
	if o.Generation != 0 {
		f.Version = strconv.FormatInt(o.Generation, 10)
	}
	return f
}

// askObject gives an error of Cloud Storage its meaning.
func (s *session) askObject(err error) error {
	switch {
	case gcp.IsHTTP(err, http.StatusNotFound):
		return pluginsdk.ErrNoOutput
	case gcp.IsHTTP(err, http.StatusRequestedRangeNotSatisfiable):
		return pluginsdk.ErrOutputRange
	}
	return s.ask(err)
}
