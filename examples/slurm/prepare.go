package main

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/stephost/stephost/pluginsdk"
)

// Prepare copies the step's work directory to where the nodes see it, when the
// operator says that they do not see it otherwise. It may be repeated: what is
// half copied has another name.
func (slurm) Prepare(ctx context.Context, c Config, s *pluginsdk.Step, progress func(string)) (pluginsdk.Prepared, error) {
	r, err := recordOf(c, s.Key)
	if err != nil {
		return pluginsdk.Prepared{}, err
	}
	if _, err := build(c, r, s); err != nil {
		return pluginsdk.Prepared{}, err
	}
	d := s.Environment.Directory
	if !c.CopyWork || d == nil || d.Path == "" {
		return pluginsdk.Prepared{}, nil
	}
	work := r.file("work")
	if _, err := os.Stat(work); err == nil {
		return pluginsdk.Prepared{Resources: []string{work}}, nil
	}
	progress("copying " + d.Path + " to " + work)
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return pluginsdk.Prepared{}, pluginsdk.Config("config.shared_dir", "%w", err)
	}
	part, err := os.MkdirTemp(r.dir, ".work-*")
	if err != nil {
		return pluginsdk.Prepared{}, pluginsdk.Config("config.shared_dir", "%w", err)
	}
	defer os.RemoveAll(part)
	if err := os.CopyFS(part, stopping{os.DirFS(d.Path), ctx}); err != nil {
		return pluginsdk.Prepared{}, err
	}
	// Another Prepare of the attempt may have been faster.
	if err := os.Rename(part, work); err != nil && !errors.Is(err, fs.ErrExist) {
		if _, statErr := os.Stat(work); statErr != nil {
			return pluginsdk.Prepared{}, err
		}
	}
	return pluginsdk.Prepared{Resources: []string{work}}, nil
}

// stopping is a file system that ends with a context: a copy of many files can
// take minutes, and nobody may be waiting for it any more.
type stopping struct {
	fs.FS
	ctx context.Context
}

// Open opens a file, unless the context is over.
func (s stopping) Open(name string) (fs.File, error) {
	if err := s.ctx.Err(); err != nil {
		return nil, err
	}
	return s.FS.Open(name)
}

// ReadLink lets symbolic links be copied as links.
func (s stopping) ReadLink(name string) (string, error) { return fs.ReadLink(s.FS, name) }

// Lstat belongs to ReadLink.
func (s stopping) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(s.FS, name) }

var _ fs.ReadLinkFS = stopping{}
