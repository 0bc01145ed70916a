package main

import (
	"errors"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/stephost/stephost/pluginsdk"
)

// Sizes of disks (DiskSpec).
const (
	leastDisk       = 100 // GB; also the API's default
	diskGB    int64 = 1e9
)

// built is what Submit sends, and what Plan shows.
type built struct {
	request *aiplatformpb.CreateCustomJobRequest
	notes   []string
	// warnings do not stop a launch.
	warnings []error
}

// build makes the request of a step. It asks nobody and changes nothing. With
// secrets = false references stand in their places. Errors are what a person
// wrote (class config) and mean that nothing exists.
func (v *vertex) build(c Config, s *pluginsdk.Step, secrets bool) (*built, error) {
	var set Settings
	if err := s.DecodeSettings(&set); err != nil {
		return nil, err
	}
	project, err := v.project(c)
	if err != nil {
		return nil, err
	}
	image := s.Environment.Image
	if image == nil || image.Reference == "" {
		return nil, pluginsdk.Config("environment", "a job of Vertex AI runs an image, and the step has none")
	}
	b := &built{}
	picked, err := machines().choose(set, s.Resources)
	if err != nil {
		return nil, err
	}
	disk, err := b.disk(set, s.Resources, picked.machineType)
	if err != nil {
		return nil, err
	}
	nodes := max(s.Resources.Nodes, 1)
	run, err := newContainer(c, s, nodes)
	if err != nil {
		return nil, err
	}
	tags, tagged, err := labels(s, set)
	if err != nil {
		return nil, err
	}
	spec, err := c.jobSpec(s, set)
	if err != nil {
		return nil, err
	}
	b.notes = slices.Concat(picked.notes, b.notes, run.notes, tagged)
	b.warnings = picked.warnings
	for _, replicas := range pools(nodes) {
		spec.WorkerPoolSpecs = append(spec.WorkerPoolSpecs, &aiplatformpb.WorkerPoolSpec{
			MachineSpec: picked.spec(set), ReplicaCount: replicas, DiskSpec: disk, NfsMounts: set.mounts(),
			Task: &aiplatformpb.WorkerPoolSpec_ContainerSpec{ContainerSpec: run.spec(image.Reference, secrets)},
		})
	}
	if spec, err = set.additional(spec); err != nil {
		return nil, err
	}
	job := &aiplatformpb.CustomJob{DisplayName: displayName(s), JobSpec: spec, Labels: tags}
	if c.EncryptionKey != "" {
		job.EncryptionSpec = &aiplatformpb.EncryptionSpec{KmsKeyName: c.EncryptionKey}
	}
	b.request = &aiplatformpb.CreateCustomJobRequest{Parent: parent(project, c.Region), CustomJob: job}
	return b, nil
}

// pools are the numbers of replicas of the worker pools: the first pool is the
// one primary replica that the API asks for, the second all other nodes
// (https://cloud.google.com/vertex-ai/docs/training/distributed-training).
func pools(nodes int64) []int64 {
	if nodes == 1 {
		return []int64{1}
	}
	return []int64{1, nodes - 1}
}

// jobSpec is the part of the job that is not about machines.
func (c Config) jobSpec(s *pluginsdk.Step, set Settings) (*aiplatformpb.CustomJobSpec, error) {
	ranges, err := c.ranges()
	if err != nil {
		return nil, err
	}
	scheduling, err := set.scheduling(s.Deadlines)
	if err != nil {
		return nil, err
	}
	spec := &aiplatformpb.CustomJobSpec{
		PersistentResourceId: set.PersistentResource, Scheduling: scheduling, ServiceAccount: set.ServiceAccount,
		Network: c.Network, ReservedIpRanges: ranges, Tensorboard: set.Tensorboard,
		EnableWebAccess: set.WebAccess, EnableDashboardAccess: set.DashboardAccess,
		Experiment: set.Experiment, ExperimentRun: set.ExperimentRun,
	}
	if bucket, prefix := c.outputs(s.Key); bucket != "" {
		spec.BaseOutputDirectory = &aiplatformpb.GcsDestination{OutputUriPrefix: "gs://" + bucket + "/" + prefix}
	}
	return spec, nil
}

// scheduling: the container starts once. Attempts are the host's, which counts
// them and shows them.
func (set Settings) scheduling(d pluginsdk.Deadlines) (*aiplatformpb.Scheduling, error) {
	out := &aiplatformpb.Scheduling{
		DisableRetries: true,
		Strategy:       aiplatformpb.Scheduling_Strategy(aiplatformpb.Scheduling_Strategy_value[set.Strategy]),
	}
	if d.Run > 0 {
		out.Timeout = durationpb.New(d.Run)
	}
	if out.Strategy != aiplatformpb.Scheduling_FLEX_START {
		return out, nil
	}
	switch {
	case set.MaxWait != "":
		wait, err := time.ParseDuration(set.MaxWait)
		if err != nil {
			return nil, pluginsdk.Config("settings.max_wait_duration", "%w", err)
		}
		out.MaxWaitDuration = durationpb.New(wait)
	case d.Provisioning > 0:
		out.MaxWaitDuration = durationpb.New(d.Provisioning)
	}
	return out, nil
}

// disk is the boot disk, on which the step works. What the step asks for is in
// binary units, what the API counts in is not: it is rounded up.
func (b *built) disk(set Settings, r pluginsdk.Resources, machineType string) (*aiplatformpb.DiskSpec, error) {
	disk := &aiplatformpb.DiskSpec{BootDiskSizeGb: set.BootDiskSizeGB, BootDiskType: set.BootDiskType}
	asked := int32((r.DiskBytes + diskGB - 1) / diskGB)
	switch {
	case disk.BootDiskSizeGb == 0:
		disk.BootDiskSizeGb = max(asked, leastDisk)
	case disk.BootDiskSizeGb < asked:
		return nil, errors.Join(
			pluginsdk.Config("resources.disk", "the step asks for %d GB of disk, but boot_disk_size_gb is %d", asked, disk.BootDiskSizeGb),
			pluginsdk.Config("settings.boot_disk_size_gb", "%d GB is less than the step's disk of %d GB: leave it out", disk.BootDiskSizeGb, asked))
	}
	if disk.BootDiskType == "" {
		disk.BootDiskType = "pd-ssd"
		if hyperdiskOnly(machineType) {
			disk.BootDiskType = "hyperdisk-balanced"
		}
	}
	if asked > 0 {
		b.notes = append(b.notes, "the disk holds the image too: the step gets what the image leaves")
	}
	return disk, nil
}

func (set Settings) mounts() []*aiplatformpb.NfsMount {
	var out []*aiplatformpb.NfsMount
	for _, m := range set.NFSMounts {
		out = append(out, &aiplatformpb.NfsMount{Server: m.Server, Path: m.Path, MountPoint: m.MountPoint})
	}
	return out
}

// additional merges additional_training_job_args into the spec. The API's own
// descriptor reads it, so that a field that the API does not have is an error.
func (set Settings) additional(spec *aiplatformpb.CustomJobSpec) (*aiplatformpb.CustomJobSpec, error) {
	const path = "settings.additional_training_job_args"
	text := strings.TrimSpace(string(set.Additional))
	if text == "" || text == "null" {
		return spec, nil
	}
	more := &aiplatformpb.CustomJobSpec{}
	if err := unmarshalJSON([]byte(text), more); err != nil {
		return nil, pluginsdk.Config(path, "is no CustomJobSpec of the API: %v", protoError(err))
	}
	if name := clash(spec, more); name != "" {
		return nil, pluginsdk.Config(path, "%s is set by stephost itself or by a setting of its own", name)
	}
	proto.Merge(spec, more)
	return spec, nil
}
