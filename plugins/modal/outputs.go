package main

import (
	"context"
	"errors"
	"io"
	"strings"

	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"

	"github.com/stephost/stephost/plugins/modal/internal/api"
	"github.com/stephost/stephost/pluginsdk"
)

// maxOutputs bounds the list: a step may leave a million files, and the whole
// directory is there anyway.
const maxOutputs = 1000

// outputs lists what the sandbox left on the volume below its key. Where that
// cannot be listed, or beyond maxOutputs, the directory itself stands for it: a
// verdict does not wait for a list. Modal commits a volume in the background, so
// that the last files may be missing in the list (assumption).
func (q *session) outputs(ctx context.Context, d handleData) []pluginsdk.Output {
	whole := []pluginsdk.Output{{Name: ".", Location: outputURI(d.Outputs, d.Key) + "/", Bytes: -1}}
	entries, err := q.files(ctx, d)
	switch {
	case api.IsNotFound(err):
		return nil // the step has not made the directory
	case err != nil:
		pluginsdk.Logger(ctx).Warn("the outputs cannot be listed", "volume", d.Outputs, "error", err)
		return whole
	case len(entries) > maxOutputs:
		return whole
	}
	var out []pluginsdk.Output
	for _, e := range entries {
		if e.GetType() != pb.FileEntry_FILE {
			continue
		}
		name := strings.TrimPrefix(strings.TrimPrefix(e.GetPath(), "/"), d.Key+"/")
		out = append(out, pluginsdk.Output{Name: name, Location: outputURI(d.Outputs, d.Key) + "/" + name, Bytes: int64(e.GetSize())})
	}
	return out
}

// files lists a directory of the volume, with all below it. The two kinds of
// volumes have a call each.
func (q *session) files(ctx context.Context, d handleData) ([]*pb.FileEntry, error) {
	r, err := q.Stub.VolumeGetOrCreate(ctx, pb.VolumeGetOrCreateRequest_builder{DeploymentName: d.Outputs, EnvironmentName: d.Environment}.Build())
	if err != nil {
		return nil, err
	}
	var next func() ([]*pb.FileEntry, error)
	if r.GetMetadata().GetVersion() == pb.VolumeFsVersion_VOLUME_FS_VERSION_V2 {
		stream, err := q.Stub.VolumeListFiles2(ctx, pb.VolumeListFiles2Request_builder{VolumeId: r.GetVolumeId(), Path: d.Key, Recursive: true}.Build())
		if err != nil {
			return nil, err
		}
		next = func() ([]*pb.FileEntry, error) { m, err := stream.Recv(); return m.GetEntries(), err }
	} else {
		stream, err := q.Stub.VolumeListFiles(ctx, pb.VolumeListFilesRequest_builder{VolumeId: r.GetVolumeId(), Path: d.Key, Recursive: true}.Build())
		if err != nil {
			return nil, err
		}
		next = func() ([]*pb.FileEntry, error) { m, err := stream.Recv(); return m.GetEntries(), err }
	}
	var out []*pb.FileEntry
	for len(out) <= maxOutputs {
		entries, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		out = append(out, entries...)
	}
	return out, nil
}
