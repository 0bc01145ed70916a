package main

import (
	"strconv"
	"strings"
	"sync"

	"github.com/stephost/stephost/pluginsdk/machine"
)

// defaultSize is for a step that asks for nothing: what the quick starts of
// AzureML take.
const defaultSize = "Standard_DS3_v2"

// machines is the table of VM sizes.
var machines = sync.OnceValue(func() *machine.Table {
	t := &machine.Table{
		Vendor: "AzureML", Source: "https://learn.microsoft.com/azure/virtual-machines/sizes", Date: "2026-11",
		Attribute: "settings.size", Default: defaultSize,
		GPUs: []string{"t4", "v100", "a100-40gb", "a100-80gb", "h100", "h200"},
	}
	for _, line := range sizes() {
		f := strings.Fields(line)
		cpu, _ := strconv.ParseInt(f[1], 10, 64)
		memory, _ := strconv.ParseFloat(f[2], 64)
		row := machine.Type{Name: "Standard_" + f[0], CPUMillis: cpu * 1000, MemoryBytes: int64(memory * float64(machine.GiB))}
		if len(f) > 3 {
			row.GPU, _ = strconv.ParseInt(f[3], 10, 64)
			row.GPUType = f[4]
		}
		t.Types = append(t.Types, row)
	}
	return t
})

// sized is a size in the table's own spelling: Azure does not know small and
// large letters apart.
func sized(name string) string {
	for _, known := range machines().Names() {
		if strings.EqualFold(known, name) {
			return known
		}
	}
	return name
}
