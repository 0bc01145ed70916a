package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	ml "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"

	"github.com/stephost/stephost/pluginsdk"
)

// built is what Submit sends, and what Plan shows.
type built struct {
	settings Settings
	job      ml.CommandJob
	// secret are the names of environment variables that hold secrets, or parts.
	secret map[string]bool
	notes  []string
	// warnings do not stop a launch.
	warnings []error
}

func (b *built) note(format string, args ...any) {
	b.notes = append(b.notes, fmt.Sprintf(format, args...))
}

// build makes the job of a step. It asks nobody and changes nothing: what
// Prepare found out is in p. Errors are what a person wrote (class config).
func build(c Config, s *pluginsdk.Step, p prepared) (*built, error) {
	b := &built{secret: map[string]bool{}}
	if err := s.DecodeSettings(&b.settings); err != nil {
		return nil, err
	}
	set := b.settings
	held, err := tags(s, set)
	if err != nil {
		return nil, err
	}
	b.job = ml.CommandJob{
		JobType: ptr(ml.JobTypeCommand), DisplayName: optional(displayName(s, set)), Description: optional(set.Description),
		ExperimentName: optional(set.ExperimentName), Properties: properties(s), Tags: held,
	}
	for _, part := range []func(Config, *pluginsdk.Step, prepared) error{b.environment, b.machine, b.command, b.limits, b.identity, b.additional} {
		if err := part(c, s, p); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// machine sets compute, size and nodes.
func (b *built) machine(c Config, s *pluginsdk.Step, _ prepared) error {
	set, r := b.settings, s.Resources
	resources := &ml.JobResourceConfiguration{DockerArgs: optional(set.DockerArgs), ShmSize: optional(set.ShmSize)}
	nodes := max(1, r.Nodes)
	if nodes > maxNodes {
		return pluginsdk.Config("resources.nodes", "%d nodes are more than AzureML has for one job", nodes)
	}
	resources.InstanceCount = ptr(int32(nodes))
	if r.SharedMemoryBytes > 0 && set.ShmSize == "" {
		resources.ShmSize = ptr(fmt.Sprintf("%db", r.SharedMemoryBytes))
	}
	if set.ComputeName == "" {
		size, err := b.size(set, r)
		if err != nil {
			return err
		}
		resources.InstanceType = &size
		if set.Tier != "" {
			b.job.QueueSettings = &ml.QueueSettings{JobTier: ptr(tierOf(set.Tier))}
		}
		b.note("no compute_name -> serverless")
	} else {
		b.job.ComputeID = ptr(c.workspace() + "/computes/" + set.ComputeName)
		if set.Mode == "compute-instance" && nodes > 1 {
			return pluginsdk.Config("resources.nodes", "a compute instance is one machine, and the step asks for %d nodes", nodes)
		}
		if set.Create {
			if _, err := b.size(set, r); err != nil {
				return err
			}
			b.note("compute %s is made before the job if it is missing", set.ComputeName)
		} else if r.CPUMillis > 0 || r.MemoryBytes > 0 || r.GPU > 0 || r.GPUType != "" {
			b.note("compute %s has its machines already: they are compared with the step's resources when the job is prepared", set.ComputeName)
		}
	}
	if nodes > 1 {
		// One process on each node: what runs there starts its own.
		b.job.Distribution = &ml.PyTorch{DistributionType: ptr(ml.DistributionTypePyTorch), ProcessCountPerInstance: ptr(int32(1))}
		b.note("nodes %d -> STEPHOST_RANK, STEPHOST_WORLD_SIZE and those of torchrun are set in each node", nodes)
	}
	b.job.Resources = resources
	return nil
}

// maxNodes is what a cluster can have at most
// (https://learn.microsoft.com/azure/machine-learning/how-to-manage-quotas).
const maxNodes = 1000

// size is the VM size: the one that is named, if it can give what the step asks
// for, else the smallest that can.
func (b *built) size(set Settings, r pluginsdk.Resources) (string, error) {
	if set.Size == "" {
		choice, err := machines().Choose(r)
		b.notes = append(b.notes, choice.Notes...)
		return choice.Name, err
	}
	name := sized(set.Size)
	if _, err := machines().Check(name, r); err != nil {
		return "", err
	}
	if err := machines().Known(name); err != nil {
		b.warnings = append(b.warnings, err)
	}
	return name, nil
}

// tierOf is a tier in the words of the API.
func tierOf(tier string) ml.JobTier {
	return map[string]ml.JobTier{"spot": ml.JobTierSpot, "basic": ml.JobTierBasic, "standard": ml.JobTierStandard, "premium": ml.JobTierPremium}[strings.ToLower(tier)]
}

// limits sets the limit of time. It is a backstop: the host keeps it too.
func (b *built) limits(_ Config, s *pluginsdk.Step, _ prepared) error {
	if s.Deadlines.Run > 0 {
		b.job.Limits = &ml.CommandJobLimits{JobLimitsType: ptr(ml.JobLimitsTypeCommand), Timeout: ptr(iso8601(s.Deadlines.Run))}
	}
	return nil
}

// iso8601 rounds up: a limit is never shorter than what was asked for, and the
// API counts whole seconds.
func iso8601(d time.Duration) string {
	return fmt.Sprintf("PT%dS", (d+time.Second-1)/time.Second)
}

// identity sets whom the job acts as.
func (b *built) identity(Config, *pluginsdk.Step, prepared) error {
	set := b.settings
	switch set.Identity {
	case "aml_token":
		b.job.Identity = &ml.AmlToken{IdentityType: ptr(ml.IdentityConfigurationTypeAMLToken)}
	case "user":
		b.job.Identity = &ml.UserIdentity{IdentityType: ptr(ml.IdentityConfigurationTypeUserIdentity)}
	case "managed":
		b.job.Identity = &ml.ManagedIdentity{IdentityType: ptr(ml.IdentityConfigurationTypeManaged),
			ClientID: optional(set.IdentityClientID), ObjectID: optional(set.IdentityObjectID), ResourceID: optional(set.IdentityResourceID)}
	}
	return nil
}

// additional merges additional_job_args. The API's own types read the result: a
// member that they do not know would be dropped without a word, so it is an
// error.
func (b *built) additional(Config, *pluginsdk.Step, prepared) error {
	const path = "settings.additional_job_args"
	if given := strings.TrimSpace(string(b.settings.Additional)); given == "" || given == "null" {
		return nil
	}
	var more map[string]any
	if err := json.Unmarshal(b.settings.Additional, &more); err != nil {
		return pluginsdk.Config(path, "is no object: %w", err)
	}
	all, err := object(&b.job)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(more)) {
		if _, taken := all[name]; taken || slices.Contains([]string{"codeId", "computeId", "environmentVariables", "distribution"}, name) {
			return pluginsdk.Config(path, "%s is set by stephost itself or by a setting of its own", name)
		}
		all[name] = more[name]
	}
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	var job ml.CommandJob
	if err := json.Unmarshal(text, &job); err != nil {
		return pluginsdk.Config(path, "is not what the API has: %w", err)
	}
	kept, err := object(&job)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(more)) {
		if want, got := canonical(more[name]), canonical(kept[name]); !bytes.Equal(want, got) {
			return pluginsdk.Config(path, "%s is not understood as it is written: the API's type keeps %s of it", name, got)
		}
	}
	b.job = job
	return nil
}

// object is a value as it goes over the wire.
func object(v any) (map[string]any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var out map[string]any
	return out, json.Unmarshal(text, &out)
}

func canonical(v any) []byte {
	text, _ := json.Marshal(v) // values that came from JSON go back into it
	return text
}

func ptr[T any](v T) *T { return &v }
