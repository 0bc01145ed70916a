package main

import (
	"fmt"
	"strconv"
	"strings"

	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"

	"github.com/stephost/stephost/pluginsdk"
)

// gpuNames are Modal's names of the accelerators in the host's table
// (https://modal.com/docs/guide/gpu, October 2026).
func gpuNames() map[string]string {
	return map[string]string{
		"t4": "T4", "l4": "L4", "a10": "A10", "a10g": "A10", "l40s": "L40S", "a100-40gb": "A100-40GB", "a100-80gb": "A100-80GB",
		"rtx-pro-6000": "RTX-PRO-6000", "h100": "H100", "h200": "H200", "b200": "B200",
	}
}

// anyGPU is taken where a step asks for a GPU and does not say for which: the
// cheapest.
const anyGPU = "T4"

// gpu is what the sandbox gets; nil = none.
type gpu struct {
	name  string
	count uint32
}

// chooseGPU makes one GPU of the setting and of the step's resources. Both may be
// given, if they say the same.
func (b *built) chooseGPU(set Settings, r pluginsdk.Resources) (*gpu, error) {
	asked := r.GPU
	if asked == 0 && r.GPUType != "" {
		asked = 1
	}
	wanted := ""
	if r.GPUType != "" {
		known := false
		if wanted, known = gpuNames()[r.GPUType]; !known {
			wanted = strings.ToUpper(r.GPUType)
			b.warnings = append(b.warnings, pluginsdk.Warn("resources.gpu_type", "Modal had no %s in 2026-10; it is asked for as %s", r.GPUType, wanted))
		}
	}
	if set.GPU == "" {
		if asked == 0 {
			return nil, nil
		}
		if wanted == "" {
			wanted = anyGPU
		}
		b.notes = append(b.notes, fmt.Sprintf("gpu %d x %s -> %s:%d", asked, orAny(r.GPUType), wanted, asked))
		return &gpu{wanted, uint32(asked)}, nil
	}
	g, err := parseGPU(set.GPU)
	if err != nil {
		return nil, err
	}
	if wanted != "" && wanted != g.name && !strings.HasPrefix(g.name, wanted+"!") {
		return nil, pluginsdk.Config("settings.modal_gpu", "is %s, and the step's gpu_type is %s (%s on Modal): give one of them", g.name, r.GPUType, wanted)
	}
	if asked > 0 && !strings.Contains(set.GPU, ":") {
		g.count = uint32(asked)
	}
	if asked > 0 && asked != int64(g.count) {
		return nil, pluginsdk.Config("settings.modal_gpu", "asks for %d GPUs, and the step's resources for %d", g.count, asked)
	}
	return g, nil
}

// parseGPU reads a GPU in Modal's words, as the SDK does it (parseGPUConfig in
// app.go).
func parseGPU(text string) (*gpu, error) {
	name, count, counted := strings.Cut(text, ":")
	g := &gpu{strings.ToUpper(name), 1}
	if counted {
		n, err := strconv.ParseUint(count, 10, 16)
		if err != nil || n == 0 {
			return nil, pluginsdk.Config("settings.modal_gpu", "the number of GPUs in %q must be a positive integer", text)
		}
		g.count = uint32(n)
	}
	return g, nil
}

func orAny(gpuType string) string {
	if gpuType == "" {
		return "any"
	}
	return gpuType
}

// proto is the GPU as the API has it; no GPU is an empty message, as the SDK
// sends it.
func (g *gpu) proto() *pb.GPUConfig {
	if g == nil {
		return &pb.GPUConfig{}
	}
	return pb.GPUConfig_builder{Count: g.count, GpuType: g.name}.Build()
}
