package machine

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/stephost/stephost/pluginsdk"
)

// Choice is a machine type and why it was taken.
type Choice struct {
	Type
	// Notes for the plan, one line each: "gpu 1 x t4 -> ml.g4dn.xlarge".
	Notes []string
}

// Choose returns the smallest machine that gives one node what r asks for. The
// error is of class config, names the resource that cannot be met, and the
// nearest machine that can be had. Nodes, disk and shared memory are not looked
// at.
func (t *Table) Choose(r pluginsdk.Resources) (Choice, error) {
	r = normal(r)
	if r.CPUMillis == 0 && r.MemoryBytes == 0 && r.GPU == 0 && t.Default != "" {
		if rows := t.Find(t.Default); len(rows) > 0 {
			return Choice{Type: rows[0], Notes: []string{"no cpu, memory or gpu asked for -> " + rows[0].String()}}, nil
		}
	}
	var fit []Type
	for _, row := range t.Types {
		if (row.GPU > 0) == (r.GPU > 0) && len(lacks(row, r)) == 0 {
			fit = append(fit, row)
		}
	}
	if len(fit) == 0 {
		return Choice{}, t.refuse(r)
	}
	best := slices.MinFunc(fit, t.compare)
	return Choice{Type: best, Notes: []string{asked(r) + " -> " + best.String()}}, nil
}

// Check compares the type that a person named with what r asks for, and returns
// the row that fits. A name that the table does not have is no error: the
// choice then has the name alone, and Known says what to tell about it.
//
// The error joins one finding per resource that cannot be met and one about
// the name, so that both lines are shown.
func (t *Table) Check(name string, r pluginsdk.Resources) (Choice, error) {
	r = normal(r)
	rows := t.Find(name)
	if len(rows) == 0 {
		return Choice{Type: Type{Name: name}}, nil
	}
	var nearest []lack
	for i, row := range rows {
		missing := lacks(row, r)
		if len(missing) == 0 {
			return Choice{Type: row}, nil
		}
		if i == 0 || len(missing) < len(nearest) {
			nearest = missing
		}
	}
	var found []error
	for _, l := range nearest {
		found = append(found, pluginsdk.Config("resources."+l.resource, "the step asks for %s, but %s has %s", l.asked, name, l.has))
	}
	advice := "leave it out, and a machine that fits is chosen"
	if c, err := t.Choose(r); err == nil {
		advice = fmt.Sprintf("leave it out, or take %s", c.Type)
	}
	found = append(found, pluginsdk.Config(t.Attribute, "%s cannot give the step's resources (%s): %s", rows[0], asked(r), advice))
	return Choice{}, errors.Join(found...)
}

// Known returns nil for a name of the table, else a warning with the name that
// was probably meant.
func (t *Table) Known(name string) error {
	if len(t.Find(name)) > 0 {
		return nil
	}
	hint := ""
	if s := t.Suggest(name); s != "" {
		hint = fmt.Sprintf("; did you mean %q?", s)
	}
	return pluginsdk.Warn(t.Attribute, "%q is not in the table of %s's machine types of %s, so whether it gives the step's resources is not known%s",
		name, t.Vendor, t.Date, hint)
}

// normal counts a kind of GPU as one GPU.
func normal(r pluginsdk.Resources) pluginsdk.Resources {
	if r.GPUType != "" && r.GPU == 0 {
		r.GPU = 1
	}
	return r
}

// compare orders machines by size: count of GPUs, kind of GPU, cores, memory.
func (t *Table) compare(a, b Type) int {
	return cmp.Or(cmp.Compare(a.GPU, b.GPU), cmp.Compare(t.size(a.GPUType), t.size(b.GPUType)),
		cmp.Compare(a.CPUMillis, b.CPUMillis), cmp.Compare(a.MemoryBytes, b.MemoryBytes))
}

// size of a kind of GPU; one that GPUs does not have is larger than all.
func (t *Table) size(gpu string) int {
	if gpu == "" {
		return -1
	}
	if i := slices.Index(t.GPUs, gpu); i >= 0 {
		return i
	}
	return len(t.GPUs)
}

// lack is one resource that a machine does not give.
type lack struct {
	resource, asked, has string
}

func lacks(row Type, r pluginsdk.Resources) []lack {
	var out []lack
	if row.CPUMillis < r.CPUMillis {
		out = append(out, lack{"cpu", cpu(r.CPUMillis) + " cpu", cpu(row.CPUMillis)})
	}
	if row.MemoryBytes < r.MemoryBytes {
		out = append(out, lack{"memory", memory(r.MemoryBytes) + " of memory", memory(row.MemoryBytes)})
	}
	gpus := "no GPU"
	if row.GPU > 0 {
		gpus = fmt.Sprintf("%d x %s", row.GPU, row.GPUType)
	}
	if row.GPU < r.GPU {
		out = append(out, lack{"gpu", fmt.Sprintf("gpu %d", r.GPU), gpus})
	}
	if r.GPUType != "" && row.GPUType != r.GPUType && row.GPU > 0 {
		out = append(out, lack{"gpu_type", r.GPUType, gpus})
	}
	return out
}

// asked is "cpu 4, memory 16 GiB, gpu 1 x t4".
func asked(r pluginsdk.Resources) string {
	var parts []string
	if r.CPUMillis > 0 {
		parts = append(parts, "cpu "+cpu(r.CPUMillis))
	}
	if r.MemoryBytes > 0 {
		parts = append(parts, "memory "+memory(r.MemoryBytes))
	}
	switch {
	case r.GPU > 0 && r.GPUType != "":
		parts = append(parts, fmt.Sprintf("gpu %d x %s", r.GPU, r.GPUType))
	case r.GPU > 0:
		parts = append(parts, fmt.Sprintf("gpu %d", r.GPU))
	}
	if len(parts) == 0 {
		return "no resources"
	}
	return strings.Join(parts, ", ")
}

// refuse says which resource no machine can give, and the nearest machine.
func (t *Table) refuse(r pluginsdk.Resources) error {
	class := t.Types
	if r.GPU > 0 {
		kinds := t.kinds()
		if r.GPUType != "" && !slices.Contains(kinds, r.GPUType) {
			hint := ""
			if s := Suggest(r.GPUType, kinds); s != "" {
				hint = fmt.Sprintf("; did you mean %q?", s)
			}
			return pluginsdk.Config("resources.gpu_type", "no machine type of %s has a %s (table of %s)%s It has: %s",
				t.Vendor, r.GPUType, t.Date, stop(hint), strings.Join(kinds, ", "))
		}
		class = slices.DeleteFunc(slices.Clone(class), func(row Type) bool {
			return row.GPU == 0 || r.GPUType != "" && row.GPUType != r.GPUType
		})
	} else {
		class = slices.DeleteFunc(slices.Clone(class), func(row Type) bool { return row.GPU > 0 })
	}
	if len(class) == 0 {
		return pluginsdk.Config("resources.gpu", "no machine type of %s fits %s (table of %s)", t.Vendor, asked(r), t.Date)
	}
	nearest := slices.MinFunc(class, func(a, b Type) int {
		return cmp.Or(cmp.Compare(shortfall(a, r), shortfall(b, r)), t.compare(a, b))
	})
	path := "resources"
	if missing := lacks(nearest, r); len(missing) > 0 {
		path += "." + missing[0].resource
	}
	return pluginsdk.Config(path, "no machine type of %s gives one node %s; the nearest is %s (table of %s)", t.Vendor, asked(r), nearest, t.Date)
}

func stop(hint string) string {
	if hint == "" {
		return "."
	}
	return hint
}

// kinds are the kinds of GPU in the table, from small to large.
func (t *Table) kinds() []string {
	var out []string
	for _, row := range t.Types {
		if row.GPU > 0 && !slices.Contains(out, row.GPUType) {
			out = append(out, row.GPUType)
		}
	}
	slices.SortStableFunc(out, func(a, b string) int { return cmp.Compare(t.size(a), t.size(b)) })
	return out
}

// shortfall is the sum of the missing parts of each resource: 0 = all is there.
func shortfall(row Type, r pluginsdk.Resources) float64 {
	sum := 0.0
	for _, pair := range [][2]int64{{row.CPUMillis, r.CPUMillis}, {row.MemoryBytes, r.MemoryBytes}, {row.GPU, r.GPU}} {
		if have, want := pair[0], pair[1]; have < want {
			sum += float64(want-have) / float64(want)
		}
	}
	return sum
}
