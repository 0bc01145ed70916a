package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	ml "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"

	"github.com/stephost/stephost/pluginsdk"
)

const (
	// computePause is the pause between two questions while a compute is made: that
	// takes minutes.
	computePause = 5 * time.Second
	// idleScaledown is what AzureML's own tools take for a cluster.
	idleScaledown = 120
)

// compute looks whether the compute is there and can run the step, and makes it
// if the step says so.
func (cl *client) compute(ctx context.Context, set Settings, r pluginsdk.Resources, progress func(string)) error {
	c := cl.config
	created := false
	for {
		got, err := cl.computes.Get(ctx, c.ResourceGroup, c.WorkspaceName, set.ComputeName, nil)
		switch {
		case gone(err) && !set.Create:
			return pluginsdk.Config("settings.compute_name", "the workspace %s has no compute %s; create = true and a size make it", c.WorkspaceName, set.ComputeName)
		case gone(err) && !created:
			progress("making compute " + set.ComputeName)
			if err := cl.makeCompute(ctx, set, r); err != nil {
				return err
			}
			created = true
			continue
		case err != nil:
			return cl.ask(err)
		}
		wait, err := fits(got.Properties, set, r)
		if err != nil || !wait {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(computePause):
		}
	}
}

// fits compares a compute with what the step asks for. wait: it is being made.
func fits(compute ml.ComputeClassification, set Settings, r pluginsdk.Resources) (wait bool, err error) {
	if compute == nil {
		return false, nil
	}
	const path = "settings.compute_name"
	about := compute.GetCompute()
	state := ml.ProvisioningState("")
	if about.ProvisioningState != nil {
		state = *about.ProvisioningState
	}
	switch state {
	case ml.ProvisioningStateCreating, ml.ProvisioningStateUpdating:
		return true, nil
	case ml.ProvisioningStateFailed, ml.ProvisioningStateCanceled, ml.ProvisioningStateDeleting:
		return false, pluginsdk.Config(path, "the compute %s is in the state %s%s", set.ComputeName, state, problems(about.ProvisioningErrors))
	}
	size := ""
	switch k := compute.(type) {
	case *ml.AmlCompute:
		if set.Mode == "compute-instance" {
			return false, other(set, "a compute cluster")
		}
		if p := k.Properties; p != nil {
			size = text(p.VMSize)
			if s := p.ScaleSettings; s != nil && s.MaxNodeCount != nil && int64(*s.MaxNodeCount) < max(1, r.Nodes) {
				return false, errors.Join(
					pluginsdk.Config("resources.nodes", "the step asks for %d nodes, but %s has at most %d", max(1, r.Nodes), set.ComputeName, *s.MaxNodeCount),
					pluginsdk.Config(path, "%s has at most %d nodes, and the step asks for %d", set.ComputeName, *s.MaxNodeCount, max(1, r.Nodes)))
			}
		}
	case *ml.ComputeInstance:
		if set.Mode == "compute-cluster" {
			return false, other(set, "a compute instance")
		}
		if r.Nodes > 1 {
			return false, pluginsdk.Config("resources.nodes", "the compute instance %s is one machine, and the step asks for %d nodes", set.ComputeName, r.Nodes)
		}
		if p := k.Properties; p != nil {
			size = text(p.VMSize)
			if p.State != nil {
				switch *p.State {
				case ml.ComputeInstanceStateStopped, ml.ComputeInstanceStateStopping, ml.ComputeInstanceStateUnusable, ml.ComputeInstanceStateDeleting,
					ml.ComputeInstanceStateCreateFailed, ml.ComputeInstanceStateSetupFailed, ml.ComputeInstanceStateUserSetupFailed:
					return false, pluginsdk.Config(path, "the compute instance %s is in the state %s: start it, or the job would wait for ever", set.ComputeName, *p.State)
				}
			}
		}
	}
	if size != "" {
		if _, err := machines().Check(sized(size), r); err != nil {
			return false, err
		}
	}
	return false, nil
}

func other(set Settings, is string) error {
	return pluginsdk.Config("settings.mode", "mode is %s, but %s is %s: leave mode out, and whatever has that name is used", set.Mode, set.ComputeName, is)
}

func problems(all []*ml.ErrorResponse) string {
	var out []string
	for _, e := range all {
		if e != nil && e.Error != nil {
			out = append(out, text(e.Error.Message))
		}
	}
	if len(out) == 0 {
		return ""
	}
	return ": " + strings.Join(out, "; ")
}

// makeCompute makes the compute that the settings describe. That it was accepted
// is enough: whoever asks next sees how far it is.
func (cl *client) makeCompute(ctx context.Context, set Settings, r pluginsdk.Resources) error {
	w, err := cl.about(ctx, false)
	if err != nil {
		return err
	}
	location := w.location
	if set.Location != "" {
		location = set.Location
	}
	resource := ml.ComputeResource{Location: &location, Tags: map[string]*string{propOwner: ptr("1")}, Properties: describe(set, r, location)}
	_, err = cl.computes.BeginCreateOrUpdate(ctx, cl.config.ResourceGroup, cl.config.WorkspaceName, set.ComputeName, resource, nil)
	return cl.made(err, "settings.create", "the compute")
}

// describe is the compute of the settings.
func describe(set Settings, r pluginsdk.Resources, location string) ml.ComputeClassification {
	size := sized(set.Size)
	if set.Mode == "compute-instance" {
		return &ml.ComputeInstance{ComputeType: ptr(ml.ComputeTypeComputeInstance), ComputeLocation: &location,
			Properties: &ml.ComputeInstanceProperties{VMSize: &size}}
	}
	scale := &ml.ScaleSettings{MinNodeCount: ptr(int32(0)), MaxNodeCount: ptr(int32(max(1, r.Nodes))), NodeIdleTimeBeforeScaleDown: ptr(fmt.Sprintf("PT%dS", idleScaledown))}
	if set.MinInstances != nil {
		scale.MinNodeCount = set.MinInstances
	}
	if set.MaxInstances != nil {
		scale.MaxNodeCount = set.MaxInstances
	}
	if set.IdleScaledown != nil {
		scale.NodeIdleTimeBeforeScaleDown = ptr(fmt.Sprintf("PT%dS", *set.IdleScaledown))
	}
	priority := ml.VMPriorityDedicated
	if strings.HasPrefix(strings.ToLower(set.Tier), "low") {
		priority = ml.VMPriorityLowPriority
	}
	return &ml.AmlCompute{ComputeType: ptr(ml.ComputeTypeAmlCompute), ComputeLocation: &location,
		Properties: &ml.AmlComputeProperties{VMSize: &size, VMPriority: &priority, ScaleSettings: scale}}
}
