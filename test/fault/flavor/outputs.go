package main

import (
	"context"
	"io"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/test/fault/wire"
)

// OutputFiles lists what the job left. It has one location.
func (b base) OutputFiles(ctx context.Context, c Config, h pluginsdk.Handle, location string) ([]pluginsdk.OutputFile, error) {
	client, id, err := b.outputs(ctx, c, h, location)
	if err != nil {
		return nil, err
	}
	list, err := client.Outputs(ctx, id)
	if err != nil {
		return nil, outputError(err)
	}
	var files []pluginsdk.OutputFile
	for _, f := range list {
		files = append(files, outputFile(f))
	}
	return files, nil
}

// OpenOutput opens one of the files.
func (b base) OpenOutput(ctx context.Context, c Config, h pluginsdk.Handle, r pluginsdk.OutputRead) (pluginsdk.OutputFile, io.ReadCloser, error) {
	client, id, err := b.outputs(ctx, c, h, r.Location)
	if err != nil {
		return pluginsdk.OutputFile{}, nil, err
	}
	f, body, err := client.Output(ctx, id, r.Name, r.Offset)
	if err != nil {
		return pluginsdk.OutputFile{}, nil, outputError(err)
	}
	return outputFile(*f), body, nil
}

// outputs compares a location with that of the job.
func (b base) outputs(ctx context.Context, c Config, h pluginsdk.Handle, location string) (*wire.Client, string, error) {
	hd, err := decode(h)
	if err != nil {
		return nil, "", err
	}
	client, err := b.clients.get(ctx, c)
	if err != nil {
		return nil, "", err
	}
	j, err := client.Get(ctx, hd.ID)
	switch {
	case err != nil:
		return nil, "", outputError(err)
	case location != j.Output:
		return nil, "", pluginsdk.Config("", "%s is no output of the job %s", location, hd.ID)
	}
	return client, hd.ID, nil
}

func outputFile(f wire.OutputFile) pluginsdk.OutputFile {
	return pluginsdk.OutputFile{Name: f.Name, Bytes: f.Bytes, Version: f.Version, ModifiedAt: f.Changed}
}

func outputError(err error) error {
	switch {
	case wire.IsCode(err, wire.CodeNotFound):
		return pluginsdk.ErrNoOutput
	case wire.IsCode(err, wire.CodeRange):
		return pluginsdk.ErrOutputRange
	}
	return translate(err)
}

var _ pluginsdk.OutputReader[Config] = base{}
