package project

import (
	"slices"
	"strings"
)

// gpuType is one row of the table of accelerators. Flavors map the canonical
// name to their own.
type gpuType struct {
	name    string
	aliases []string // as folded by foldGPU
}

// gpuTable is the one list of accelerator names. It ages: an unknown name is a
// warning and passes, the flavor says whether it has it. Aliases are folded:
// lower case, "-" for "_" and blanks, without "nvidia" and "tesla".
func gpuTable() []gpuType {
	return []gpuType{
		{"k80", nil},
		{"p4", nil},
		{"p100", []string{"p100-pcie-16gb", "p100-sxm2-16gb"}},
		{"v100", []string{"v100-16gb", "v100-sxm2-16gb", "v100-pcie-16gb"}},
		{"v100-32gb", []string{"v100-sxm2-32gb", "v100-sxm3-32gb", "v100-pcie-32gb"}},
		{"t4", []string{"t4-16gb"}},
		{"t4g", nil},
		{"a10", []string{"a10-24gb"}},
		{"a10g", []string{"a10g-24gb"}},
		{"a16", nil},
		{"a30", nil},
		{"a40", nil},
		{"a100-40gb", []string{"a100", "a100-sxm4-40gb", "a100-pcie-40gb"}},
		{"a100-80gb", []string{"a100-sxm4-80gb", "a100-pcie-80gb", "80gb-a100"}},
		{"l4", []string{"l4-24gb"}},
		{"l40", nil},
		{"l40s", []string{"l40s-48gb"}},
		{"rtx-4090", []string{"geforce-rtx-4090", "4090"}},
		{"rtx-5090", []string{"geforce-rtx-5090", "5090"}},
		{"rtx-a6000", []string{"a6000"}},
		{"rtx-pro-6000", []string{"rtx-pro-6000-blackwell", "rtx-pro-6000-blackwell-server-edition"}},
		{"h100", []string{"h100-80gb", "h100-80gb-hbm3", "h100-sxm5-80gb", "h100-pcie", "h100-pcie-80gb", "h100-mega-80gb"}},
		{"h200", []string{"h200-141gb", "h200-sxm5-141gb"}},
		{"gh200", []string{"gh200-480gb"}},
		{"b200", []string{"b200-180gb"}},
		{"gb200", nil},
		{"b300", nil},
		{"gb300", nil},
		{"mi210", []string{"amd-mi210", "instinct-mi210", "amd-instinct-mi210"}},
		{"mi250", []string{"amd-mi250", "instinct-mi250", "amd-instinct-mi250"}},
		{"mi300x", []string{"amd-mi300x", "instinct-mi300x", "amd-instinct-mi300x"}},
	}
}

// GPUTypes lists the canonical names of the table.
func GPUTypes() []string {
	table := gpuTable()
	out := make([]string, len(table))
	for i, g := range table {
		out[i] = g.name
	}
	return out
}

// GPUType gives the canonical name of an accelerator: "NVIDIA_TESLA_T4",
// "nvidia-tesla-t4" and "T4" are "t4". A name that the table does not have
// comes back folded, with known = false.
func GPUType(name string) (canonical string, known bool) {
	folded := foldGPU(name)
	for _, g := range gpuTable() {
		if g.name == folded || slices.Contains(g.aliases, folded) {
			return g.name, true
		}
	}
	return folded, false
}

func foldGPU(name string) string {
	s := strings.ToLower(strings.TrimSpace(name))
	s = strings.NewReplacer("_", "-", " ", "-").Replace(s)
	s = strings.TrimPrefix(s, "nvidia-")
	s = strings.TrimPrefix(s, "tesla-")
	// "nvidia-l4-vws" and the like are other products and stay as they are.
	return strings.Trim(s, "-")
}
