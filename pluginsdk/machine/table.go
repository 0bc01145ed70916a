package machine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// GiB is the unit of most vendors' tables.
const GiB = int64(1) << 30

// Type is one machine type, or one combination of a machine type and
// accelerators where those are chosen apart: then several rows have one name.
type Type struct {
	Name        string
	CPUMillis   int64
	MemoryBytes int64
	GPU         int64
	// GPUType is a canonical name of the host's table, for example "a10g".
	GPUType string
	// Accelerator is the vendor's own name of the GPU, where requests name it.
	Accelerator string
}

// Table are the machine types of one vendor. It is not changed once made.
type Table struct {
	// Vendor is for messages, for example "SageMaker".
	Vendor string
	// Source is where the figures are from, Date when they were read there
	// ("2026-11").
	Source, Date string
	// Attribute is the path of the attribute that names a type, for example
	// "settings.instance_type".
	Attribute string
	// Default is the type for a step that asks for nothing; "" = the smallest.
	Default string
	// GPUs are canonical names from small to large: among machines that fit, one
	// with a smaller kind of GPU is smaller.
	GPUs []string
	// Types in any order; of equally small ones the first wins.
	Types []Type
}

// Find returns the rows of a name.
func (t *Table) Find(name string) []Type {
	var rows []Type
	for _, row := range t.Types {
		if row.Name == name {
			rows = append(rows, row)
		}
	}
	return rows
}

// Names lists the names, each once, in the order of the table.
func (t *Table) Names() []string {
	var names []string
	for _, row := range t.Types {
		if !slices.Contains(names, row.Name) {
			names = append(names, row.Name)
		}
	}
	return names
}

// Suggest is the name of the table that was probably meant, or "".
func (t *Table) Suggest(name string) string { return Suggest(name, t.Names()) }

// suggestMost is how far a word may be from the one that was meant: a third of
// it, but no more than three slips.
const suggestMost = 3

// Suggest is the candidate nearest to word when it is near enough to be meant,
// else "". Case does not count. Of equally near ones the first wins.
func Suggest(word string, candidates []string) string {
	w := strings.ToLower(word)
	best, least := "", 1+max(1, min(suggestMost, len(w)/3))
	for _, c := range candidates {
		if d := levenshtein.Distance(w, strings.ToLower(c), nil); d < least {
			best, least = c, d
		}
	}
	return best
}

// String is "ml.g4dn.xlarge (4 cpu, 16 GiB, 1 x t4)".
func (r Type) String() string { return r.Name + " (" + r.has() + ")" }

func (r Type) has() string {
	parts := []string{cpu(r.CPUMillis) + " cpu", memory(r.MemoryBytes)}
	if r.GPU > 0 {
		parts = append(parts, fmt.Sprintf("%d x %s", r.GPU, r.GPUType))
	} else {
		parts = append(parts, "no GPU")
	}
	return strings.Join(parts, ", ")
}

func cpu(millis int64) string { return fmt.Sprintf("%g", float64(millis)/1000) }

func memory(bytes int64) string {
	if bytes < GiB {
		return fmt.Sprintf("%g MiB", float64(bytes)/float64(1<<20))
	}
	return fmt.Sprintf("%.4g GiB", float64(bytes)/float64(GiB))
}
