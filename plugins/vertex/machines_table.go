package main

import (
	"fmt"
	"sync"

	"github.com/stephost/stephost/pluginsdk/machine"
)

// Where the figures are from: the machine types that custom training takes, the
// numbers of GPUs that fit each N1 type, and the sizes of Compute Engine.
const (
	tableSource = "https://cloud.google.com/vertex-ai/docs/training/configure-compute, https://cloud.google.com/compute/docs/machine-resource"
	tableDate   = "2026-10"
)

// machines is the table, which the first step needs, and no start of the plugin.
var machines = sync.OnceValue(func() *machineTable {
	return &machineTable{machine.Table{
		Vendor: "Vertex AI", Source: tableSource, Date: tableDate,
		Attribute: "settings.machine_type", Default: defaultMachine,
		GPUs:  []string{"t4", "l4", "p4", "p100", "v100", "a100-40gb", "a100-80gb", "rtx-pro-6000", "h100", "h200", "b200", "gb200"},
		Types: append(append(cpuTypes(), gpuTypes()...), n1WithGPUs()...),
	}}
})

// family is a series with the same memory for each core.
type family struct {
	name  string
	perGB float64 // GiB for each core
	cores []int
}

func cpuFamilies() []family {
	return []family{
		{"n1-standard", 3.75, []int{4, 8, 16, 32, 64, 96}},
		{"n1-highmem", 6.5, []int{2, 4, 8, 16, 32, 64, 96}},
		{"n1-highcpu", 0.9, []int{16, 32, 64, 96}},
		{"e2-standard", 4, []int{4, 8, 16, 32}},
		{"e2-highmem", 8, []int{2, 4, 8, 16}},
		{"e2-highcpu", 1, []int{16, 32}},
		{"n2-standard", 4, []int{4, 8, 16, 32, 48, 64, 80}},
		{"n2-highmem", 8, []int{2, 4, 8, 16, 32, 48, 64, 80}},
		{"n2-highcpu", 1, []int{16, 32, 48, 64, 80}},
		{"c2-standard", 4, []int{4, 8, 16, 30, 60}},
	}
}

func cpuTypes() []machine.Type {
	var out []machine.Type
	for _, f := range cpuFamilies() {
		for _, n := range f.cores {
			out = append(out, row(fmt.Sprintf("%s-%d", f.name, n), n, f.perGB*float64(n), 0, "", ""))
		}
	}
	return append(out,
		row("m1-ultramem-40", 40, 961, 0, "", ""), row("m1-ultramem-80", 80, 1922, 0, "", ""),
		row("m1-ultramem-160", 160, 3844, 0, "", ""), row("m1-megamem-96", 96, 1433.6, 0, "", ""))
}

// gpuTypes have their GPUs built in.
func gpuTypes() []machine.Type {
	const (
		l4, a100, a100x, h100 = "NVIDIA_L4", "NVIDIA_TESLA_A100", "NVIDIA_A100_80GB", "NVIDIA_H100_80GB"
	)
	return []machine.Type{
		row("g2-standard-4", 4, 16, 1, "l4", l4), row("g2-standard-8", 8, 32, 1, "l4", l4),
		row("g2-standard-12", 12, 48, 1, "l4", l4), row("g2-standard-16", 16, 64, 1, "l4", l4),
		row("g2-standard-32", 32, 128, 1, "l4", l4), row("g2-standard-24", 24, 96, 2, "l4", l4),
		row("g2-standard-48", 48, 192, 4, "l4", l4), row("g2-standard-96", 96, 384, 8, "l4", l4),
		row("a2-highgpu-1g", 12, 85, 1, "a100-40gb", a100), row("a2-highgpu-2g", 24, 170, 2, "a100-40gb", a100),
		row("a2-highgpu-4g", 48, 340, 4, "a100-40gb", a100), row("a2-highgpu-8g", 96, 680, 8, "a100-40gb", a100),
		row("a2-megagpu-16g", 96, 1360, 16, "a100-40gb", a100),
		row("a2-ultragpu-1g", 12, 170, 1, "a100-80gb", a100x), row("a2-ultragpu-2g", 24, 340, 2, "a100-80gb", a100x),
		row("a2-ultragpu-4g", 48, 680, 4, "a100-80gb", a100x), row("a2-ultragpu-8g", 96, 1360, 8, "a100-80gb", a100x),
		row("a3-highgpu-1g", 26, 234, 1, "h100", h100), row("a3-highgpu-2g", 52, 468, 2, "h100", h100),
		row("a3-highgpu-4g", 104, 936, 4, "h100", h100), row("a3-highgpu-8g", 208, 1872, 8, "h100", h100),
		row("a3-megagpu-8g", 208, 1872, 8, "h100", "NVIDIA_H100_MEGA_80GB"),
		row("a3-ultragpu-8g", 224, 2952, 8, "h200", "NVIDIA_H200_141GB"),
		row("a4-highgpu-8g", 224, 3968, 8, "b200", "NVIDIA_B200"),
		row("a4x-highgpu-4g", 140, 884, 4, "gb200", "NVIDIA_GB200"),
		row("g4-standard-48", 48, 180, 1, "rtx-pro-6000", "NVIDIA_RTX_PRO_6000"), row("g4-standard-96", 96, 360, 2, "rtx-pro-6000", "NVIDIA_RTX_PRO_6000"),
		row("g4-standard-192", 192, 720, 4, "rtx-pro-6000", "NVIDIA_RTX_PRO_6000"), row("g4-standard-384", 384, 1440, 8, "rtx-pro-6000", "NVIDIA_RTX_PRO_6000"),
	}
}

// n1WithGPUs are the combinations of N1 types with GPUs, from few to many: a
// person who names the machine alone gets the first that is enough.
func n1WithGPUs() []machine.Type {
	var out []machine.Type
	for _, f := range cpuFamilies()[:3] {
		for _, n := range f.cores {
			for _, g := range n1GPUs(n) {
				for _, count := range g.counts {
					out = append(out, row(fmt.Sprintf("%s-%d", f.name, n), n, f.perGB*float64(n), count, gpuOf()[g.name], g.name))
				}
			}
		}
	}
	return out
}

type attachable struct {
	name   string
	counts []int
}

// n1GPUs are the numbers of GPUs that fit an N1 type with n cores.
func n1GPUs(n int) []attachable {
	const p4, t4, p100, v100 = "NVIDIA_TESLA_P4", "NVIDIA_TESLA_T4", "NVIDIA_TESLA_P100", "NVIDIA_TESLA_V100"
	few, all := []int{1, 2, 4}, []int{1, 2, 4, 8}
	switch {
	case n <= 8:
		return []attachable{{p4, few}, {t4, few}, {p100, few}, {v100, all}}
	case n <= 16:
		return []attachable{{p4, few}, {t4, few}, {p100, few}, {v100, []int{2, 4, 8}}}
	case n <= 32:
		return []attachable{{p4, []int{2, 4}}, {t4, []int{2, 4}}, {p100, []int{2, 4}}, {v100, []int{4, 8}}}
	case n <= 64:
		return []attachable{{p4, []int{4}}, {t4, []int{4}}, {p100, []int{4}}, {v100, []int{8}}}
	}
	return []attachable{{p4, []int{4}}, {t4, []int{4}}, {v100, []int{8}}}
}

func row(name string, cores int, gib float64, gpus int, gpu, accelerator string) machine.Type {
	return machine.Type{Name: name, CPUMillis: int64(cores) * 1000, MemoryBytes: int64(gib * float64(machine.GiB)),
		GPU: int64(gpus), GPUType: gpu, Accelerator: accelerator}
}
