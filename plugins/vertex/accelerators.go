package main

import (
	"maps"
	"slices"
	"strings"

	"cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/machine"
)

// gpuOf maps the API's names of accelerators to the host's canonical ones.
func gpuOf() map[string]string {
	return map[string]string{
		"NVIDIA_TESLA_K80": "k80", "NVIDIA_TESLA_P100": "p100", "NVIDIA_TESLA_V100": "v100", "NVIDIA_TESLA_P4": "p4",
		"NVIDIA_TESLA_T4": "t4", "NVIDIA_TESLA_A100": "a100-40gb", "NVIDIA_A100_80GB": "a100-80gb", "NVIDIA_L4": "l4",
		"NVIDIA_H100_80GB": "h100", "NVIDIA_H100_MEGA_80GB": "h100", "NVIDIA_H200_141GB": "h200", "NVIDIA_B200": "b200",
		"NVIDIA_GB200": "gb200", "NVIDIA_RTX_PRO_6000": "rtx-pro-6000",
	}
}

// acceleratorNames are the values of the API's own enumeration.
func acceleratorNames() []string {
	names := slices.Sorted(maps.Keys(aiplatformpb.AcceleratorType_value))
	return slices.DeleteFunc(names, func(n string) bool { return strings.HasSuffix(n, "_UNSPECIFIED") })
}

// checkAccelerator refuses a name that the API does not have: the request
// carries the number of the value, so that there is nothing that could be sent.
func checkAccelerator(name string) error {
	if v, ok := aiplatformpb.AcceleratorType_value[name]; ok && v != 0 {
		return nil
	}
	hint := ""
	if s := machine.Suggest(name, acceleratorNames()); s != "" {
		hint = "; did you mean " + s + "?"
	}
	return pluginsdk.Config("settings.accelerator_type", "the API of Vertex AI has no accelerator %s%s It has: %s",
		name, stop(hint), strings.Join(acceleratorNames(), ", "))
}

func stop(hint string) string {
	if hint == "" {
		return "."
	}
	return hint
}
