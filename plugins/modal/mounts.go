package main

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"

	"github.com/stephost/stephost/pluginsdk"
)

// outputMount is where the volume of the outputs is in a sandbox.
const outputMount = "/stephost-outputs"

// outputURI names a directory of a volume. The scheme is stephost's own: Modal
// has none.
func outputURI(volume, path string) string { return "modal-volume://" + volume + "/" + path }

// volumes are the mounts of the settings and of the outputs, by directory.
func (set Settings) volumes(c Config, t things) ([]*pb.VolumeMount, error) {
	var out []*pb.VolumeMount
	for _, path := range slices.Sorted(maps.Keys(set.Volumes)) {
		v := set.Volumes[path]
		if _, both := set.Buckets[path]; both || path == outputMount && c.OutputVolume != "" {
			return nil, pluginsdk.Config("settings.volumes", "the directory %s is taken by another mount", path)
		}
		m := pb.VolumeMount_builder{VolumeId: t.Volumes[v.Name], MountPath: path, AllowBackgroundCommits: true, ReadOnly: v.ReadOnly}
		if v.SubPath != nil && *v.SubPath != "/" {
			m.SubPath = v.SubPath
		}
		out = append(out, m.Build())
	}
	if c.OutputVolume != "" {
		out = append(out, pb.VolumeMount_builder{VolumeId: t.Volumes[c.OutputVolume], MountPath: outputMount, AllowBackgroundCommits: true}.Build())
	}
	return out, nil
}

// buckets are the mounts of buckets, by directory.
func (set Settings) buckets(t things) []*pb.CloudBucketMount {
	var out []*pb.CloudBucketMount
	for _, path := range slices.Sorted(maps.Keys(set.Buckets)) {
		m := set.Buckets[path]
		out = append(out, pb.CloudBucketMount_builder{
			BucketName: m.Bucket, MountPath: path, CredentialsSecretId: t.Secrets[m.Secret], ReadOnly: m.ReadOnly,
			BucketType: bucketType(m.EndpointURL), RequesterPays: m.RequesterPays, BucketEndpointUrl: m.EndpointURL,
			KeyPrefix: m.KeyPrefix, OidcAuthRoleArn: m.OIDCRoleARN, ForcePathStyle: m.ForcePathStyle,
		}.Build())
	}
	return out
}

// bucketType tells the kinds of buckets apart by their address, as the SDK does
// (cloud_bucket_mount.go).
func bucketType(endpoint *string) pb.CloudBucketMount_BucketType {
	if endpoint == nil {
		return pb.CloudBucketMount_S3
	}
	u, err := url.Parse(*endpoint)
	if err != nil {
		return pb.CloudBucketMount_S3
	}
	switch host := u.Hostname(); {
	case strings.HasSuffix(host, "r2.cloudflarestorage.com"):
		return pb.CloudBucketMount_R2
	case strings.HasSuffix(host, "storage.googleapis.com"):
		return pb.CloudBucketMount_GCP
	}
	return pb.CloudBucketMount_S3
}
