package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/machine"
)

// defaultMachine is what a step without wishes gets. It is also the default of
// the framework that most people come from.
const defaultMachine = "n1-standard-4"

// machineTable is the vendor's table.
type machineTable struct{ machine.Table }

// chosen is the machine of a job.
type chosen struct {
	machineType string
	accelerator string
	count       int32
	notes       []string
	warnings    []error
}

// choose turns settings and resources into a machine and its accelerators. An
// accelerator_type and a gpu_type, or two counts, that contradict each other are
// an error that names both lines.
func (t *machineTable) choose(set Settings, r pluginsdk.Resources) (chosen, error) {
	var c chosen
	want := r
	explicit := set.AcceleratorCount != nil
	if set.AcceleratorType != "" && (!explicit || *set.AcceleratorCount > 0) {
		if err := checkAccelerator(set.AcceleratorType); err != nil {
			return c, err
		}
		if err := t.agree(set, r); err != nil {
			return c, err
		}
		want.GPUType, want.GPU = gpuOf()[set.AcceleratorType], max(r.GPU, 1)
		c.accelerator, t = set.AcceleratorType, t.only(set.AcceleratorType, set.MachineType)
	}
	if explicit {
		if r.GPU > int64(*set.AcceleratorCount) {
			return c, errors.Join(
				pluginsdk.Config("resources.gpu", "the step asks for gpu %d, but accelerator_count is %d", r.GPU, *set.AcceleratorCount),
				pluginsdk.Config("settings.accelerator_count", "accelerator_count %d is less than the step's gpu %d", *set.AcceleratorCount, r.GPU))
		}
		want.GPU = int64(*set.AcceleratorCount)
	}
	if strings.HasPrefix(set.AcceleratorType, "TPU") {
		return t.tpu(set, c, want)
	}
	if set.MachineType == "" {
		pick, err := t.Choose(want)
		if err != nil {
			return c, err
		}
		c.notes = pick.Notes
		return c.take(pick.Type, want, explicit)
	}
	pick, err := t.named(set, want, explicit)
	if err != nil {
		return c, err
	}
	if pick.CPUMillis == 0 { // a name that the table does not have
		c.warnings = append(c.warnings, t.Known(set.MachineType))
		return c.unknown(set, want)
	}
	return c.take(pick, want, explicit)
}

// agree compares accelerator_type with the step's gpu_type.
func (t *machineTable) agree(set Settings, r pluginsdk.Resources) error {
	gpu := gpuOf()[set.AcceleratorType]
	if r.GPUType == "" || r.GPUType == gpu {
		return nil
	}
	return errors.Join(
		pluginsdk.Config("resources.gpu_type", "the step asks for %s, but accelerator_type is %s", r.GPUType, set.AcceleratorType),
		pluginsdk.Config("settings.accelerator_type", "%s is no %s: leave it out, and the one of the step is taken", set.AcceleratorType, r.GPUType))
}

// named is the row of the machine type that a person named. With a count that a
// person named too, the row of exactly that count.
func (t *machineTable) named(set Settings, want pluginsdk.Resources, exact bool) (machine.Type, error) {
	if exact && want.GPU > 0 {
		var counts []string
		for _, row := range t.Find(set.MachineType) {
			if want.GPUType != "" && row.GPUType != want.GPUType || row.GPU == 0 {
				continue
			}
			if row.GPU == want.GPU {
				return t.check(set, want)
			}
			counts = append(counts, fmt.Sprint(row.GPU))
		}
		if len(counts) > 0 {
			return machine.Type{}, pluginsdk.Config("settings.accelerator_count", "a %s has %s of these accelerators, not %d", set.MachineType, strings.Join(counts, ", "), want.GPU)
		}
	}
	return t.check(set, want)
}

func (t *machineTable) check(set Settings, want pluginsdk.Resources) (machine.Type, error) {
	pick, err := t.Check(set.MachineType, want)
	return pick.Type, err
}

// take fills in a row of the table.
func (c chosen) take(row machine.Type, want pluginsdk.Resources, exact bool) (chosen, error) {
	if exact && want.GPU > 0 && row.GPU != want.GPU {
		return c, pluginsdk.Config("settings.accelerator_count", "no machine type of Vertex AI has %d of these accelerators; the nearest is %s", want.GPU, row)
	}
	if asked := c.accelerator; asked != "" && row.GPU > 0 && row.Accelerator != asked {
		return c, pluginsdk.Config("settings.accelerator_type", "%s has %s built in, not %s", row.Name, row.Accelerator, asked)
	}
	c.machineType = row.Name
	c.accelerator, c.count = row.Accelerator, int32(row.GPU)
	return c, nil
}

// only is the table without the machines that have other accelerators:
// NVIDIA_H100_80GB and NVIDIA_H100_MEGA_80GB are one kind of GPU and two
// accelerators. The machine that a person named stays, for the error about it.
func (t *machineTable) only(accelerator, named string) *machineTable {
	one := &machineTable{t.Table}
	one.Types = slices.DeleteFunc(slices.Clone(t.Types), func(row machine.Type) bool {
		return row.GPU > 0 && row.Accelerator != accelerator && row.Name != named
	})
	return one
}

// unknown takes a machine type that the table does not have by its name.
func (c chosen) unknown(set Settings, want pluginsdk.Resources) (chosen, error) {
	c.machineType = set.MachineType
	if want.GPU == 0 && want.GPUType == "" {
		c.accelerator = ""
		return c, nil
	}
	if c.accelerator == "" {
		if want.GPUType == "" {
			return c, pluginsdk.Config("settings.machine_type", "%s is not in the table, so which GPU it has is not known: give accelerator_type, or gpu_type in the step's resources", set.MachineType)
		}
		for name, gpu := range gpuOf() {
			if gpu == want.GPUType && (c.accelerator == "" || name < c.accelerator) {
				c.accelerator = name
			}
		}
		if c.accelerator == "" {
			return c, pluginsdk.Config("resources.gpu_type", "Vertex AI has no %s", want.GPUType)
		}
	}
	c.count = int32(max(want.GPU, 1))
	return c, nil
}

// tpu takes what a person wrote: the table has no TPUs, because their count and
// topology depend on each other.
func (t *machineTable) tpu(set Settings, c chosen, want pluginsdk.Resources) (chosen, error) {
	if set.MachineType == "" {
		return c, pluginsdk.Config("settings.machine_type", "a %s needs a machine_type, for example cloud-tpu", set.AcceleratorType)
	}
	if want.CPUMillis > 0 || want.MemoryBytes > 0 {
		return c, pluginsdk.Config("resources", "cpu and memory of %s are not in the table, so they cannot be promised: leave them out", set.MachineType)
	}
	c.machineType, c.count = set.MachineType, int32(max(want.GPU, 1))
	return c, nil
}

// spec is the machine of a worker pool.
func (c chosen) spec(set Settings) *aiplatformpb.MachineSpec {
	m := &aiplatformpb.MachineSpec{
		MachineType: c.machineType, AcceleratorCount: c.count,
		AcceleratorType:  aiplatformpb.AcceleratorType(aiplatformpb.AcceleratorType_value[c.accelerator]),
		GpuPartitionSize: set.GPUPartitionSize, TpuTopology: set.TPUTopology,
	}
	if a := set.ReservationAffinity; a != nil {
		m.ReservationAffinity = &aiplatformpb.ReservationAffinity{
			ReservationAffinityType: aiplatformpb.ReservationAffinity_Type(aiplatformpb.ReservationAffinity_Type_value[a.Type]),
			Key:                     a.Key, Values: a.Values,
		}
	}
	return m
}

// hyperdiskOnly are the machine series that have no persistent disks: the
// default of the API's own DiskSpec for them
// (https://cloud.google.com/vertex-ai/docs/reference/rest/v1/DiskSpec).
func hyperdiskOnly(machineType string) bool {
	return slices.ContainsFunc([]string{"a3-ultragpu-", "a4-", "a4x-", "g4-"}, func(p string) bool { return strings.HasPrefix(machineType, p) })
}
