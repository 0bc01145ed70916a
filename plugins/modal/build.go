package main

import (
	"maps"
	"math"
	"slices"
	"time"

	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"
	"google.golang.org/protobuf/proto"

	"github.com/stephost/stephost/pluginsdk"
)

// mib is the API's unit of memory.
const mib = 1 << 20

// built is what Submit sends, and what Plan shows.
type built struct {
	app     string
	newer   bool // the newer backend
	sandbox *pb.Sandbox
	tags    map[string]string
	// env holds the variables that travel with the request (newer backend only),
	// secret those of the run's own Modal secret, named secretName.
	env, secret map[string]string
	secretName  string
	// given are the IDs of the secrets that the settings name.
	given []string
	notes []string
	// warnings do not stop a launch.
	warnings []error
}

// secretName is the Modal secret of one attempt.
func secretName(key string) string { return "stephost-" + key }

// build makes the request of a step. It asks nobody and changes nothing; t holds
// the IDs that Prepare has found. Errors are what a person wrote (class config)
// and mean that nothing exists.
func (f *flavor) build(c Config, s *pluginsdk.Step, t things) (*built, error) {
	var set Settings
	if err := s.DecodeSettings(&set); err != nil {
		return nil, err
	}
	if s.Environment.Image == nil || s.Environment.Image.Reference == "" {
		return nil, pluginsdk.Config("environment", "a sandbox of Modal runs an image, and the step has none")
	}
	b := &built{app: t.App, secretName: secretName(s.Key)}
	accelerator, err := b.chooseGPU(set, s.Resources)
	if err != nil {
		return nil, err
	}
	// The newer backend has no GPUs (the SDK's buildSandboxCreateV2RequestProto).
	b.newer = set.Backend == "v2" || set.Backend == "" && accelerator == nil
	if b.newer && accelerator != nil {
		return nil, pluginsdk.Config("settings.backend", "Modal's newer backend (v2) has no GPUs, and the step asks for %s", accelerator.name)
	}
	limit, err := set.timeout(s.Deadlines)
	if err != nil {
		return nil, err
	}
	regions, err := set.regions()
	if err != nil {
		return nil, err
	}
	resources, err := b.resources(set, s.Resources, accelerator)
	if err != nil {
		return nil, err
	}
	volumes, err := set.volumes(c, t)
	if err != nil {
		return nil, err
	}
	if err := b.variables(c, s); err != nil {
		return nil, err
	}
	if err := b.setTags(c, s); err != nil {
		return nil, err
	}
	for _, name := range set.Secrets {
		b.given = append(b.given, t.Secrets[name])
	}
	b.sandbox = pb.Sandbox_builder{
		EntrypointArgs: pluginsdk.ContainerArgv(s), ImageId: t.Image, Resources: resources,
		TimeoutSecs: uint32(limit / time.Second), Name: &s.Key,
		NetworkAccess: set.network(), CloudProviderStr: set.Cloud, SchedulerPlacement: placement(regions, set.Nonpreemptible),
		VolumeMounts: volumes, CloudBucketMounts: set.buckets(t), OpenPorts: &pb.PortSpecs{}, ProxyId: optional(t.Proxy),
		Runtime: optional(set.Runtime), Verbose: set.Verbose, IncludeOidcIdentityToken: set.IdentityToken,
		ExperimentalOptionsV2: set.ExperimentalOpts,
	}.Build()
	return b, nil
}

// resources of the sandbox. What the step asks for it has for sure; memory is
// rounded up to whole MiB.
func (b *built) resources(set Settings, r pluginsdk.Resources, g *gpu) (*pb.Resources, error) {
	out := pb.Resources_builder{GpuConfig: g.proto()}
	memory := (r.MemoryBytes + mib - 1) / mib
	if memory > math.MaxUint32 || r.CPUMillis > math.MaxUint32 {
		return nil, pluginsdk.Config("resources", "no machine is that large")
	}
	out.MilliCpu, out.MemoryMb = uint32(r.CPUMillis), uint32(memory)
	const milli = 1000
	if set.CPULimit != nil {
		out.MilliCpuMax = uint32(math.Ceil(*set.CPULimit * milli))
		if r.CPUMillis == 0 || out.MilliCpuMax < out.MilliCpu {
			return nil, pluginsdk.Config("settings.cpu_limit", "is %g, and must be at least the step's cpu", *set.CPULimit)
		}
	}
	if set.MemoryLimitMiB != nil {
		out.MemoryMbMax = uint32(min(*set.MemoryLimitMiB, math.MaxUint32))
		if memory == 0 || out.MemoryMbMax < out.MemoryMb {
			return nil, pluginsdk.Config("settings.memory_limit_mib", "is %d, and must be at least the step's memory (%d MiB)", *set.MemoryLimitMiB, memory)
		}
	}
	return out.Build(), nil
}

// network is open unless a setting closes it (the SDK's
// buildOutboundNetworkAccess).
func (set Settings) network() *pb.NetworkAccess {
	out := pb.NetworkAccess_builder{NetworkAccessType: pb.NetworkAccess_OPEN}
	switch {
	case set.BlockNetwork:
		out.NetworkAccessType = pb.NetworkAccess_BLOCKED
	case set.OutboundCIDRs != nil || set.OutboundDomains != nil:
		out.NetworkAccessType = pb.NetworkAccess_ALLOWLIST
		if set.OutboundCIDRs != nil {
			out.AllowedCidrs = *set.OutboundCIDRs
		}
		if set.OutboundDomains != nil {
			out.AllowedDomains = *set.OutboundDomains
		}
	}
	return out.Build()
}

func placement(regions []string, nonpreemptible bool) *pb.SchedulerPlacement {
	if len(regions) == 0 && !nonpreemptible {
		return nil
	}
	return pb.SchedulerPlacement_builder{Regions: regions, Nonpreemptible: nonpreemptible}.Build()
}

// optional is nil for a text that was not given.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// finish adds the secrets to the request. own is the ID of the run's own secret,
// "" when there is none. The last source of a variable wins.
func (b *built) finish(own string) {
	ids := slices.Clone(b.given)
	if own != "" {
		ids = append(ids, own)
	}
	b.sandbox.SetSecretIds(ids)
}

// older is the creating request of the older backend.
func (b *built) older() *pb.SandboxCreateRequest {
	return pb.SandboxCreateRequest_builder{AppId: b.app, Definition: b.sandbox, Tags: tagList(b.tags)}.Build()
}

// newest is the creating request of the newer backend, which takes variables as
// they are beside the secrets.
func (b *built) newest() *pb.SandboxCreateV2Request {
	var sources []*pb.SecretSource
	for _, id := range b.sandbox.GetSecretIds() {
		sources = append(sources, pb.SecretSource_builder{SecretId: proto.String(id)}.Build())
	}
	if len(b.env) > 0 {
		sources = append(sources, pb.SecretSource_builder{Env: pb.StringMap_builder{Contents: maps.Clone(b.env)}.Build()}.Build())
	}
	return pb.SandboxCreateV2Request_builder{AppId: b.app, Definition: b.sandbox, Tags: tagList(b.tags), SecretSources: sources}.Build()
}
