package main

import (
	"strconv"
	"strings"
	"sync"

	"github.com/stephost/stephost/pluginsdk/machine"
)

// defaultType is for a step that asks for nothing (the default of SageMaker's
// own tools and of other frameworks).
const defaultType = "ml.m5.large"

// machines is the table of instance types.
var machines = sync.OnceValue(func() *machine.Table {
	t := &machine.Table{
		Vendor: "SageMaker", Source: "SageMaker API description, EC2 DescribeInstanceTypes", Date: "2026-11",
		Attribute: "settings.instance_type", Default: defaultType,
		GPUs: []string{"k80", "t4", "l4", "a10g", "rtx-pro-4500", "v100", "v100-32gb", "l40s", "rtx-pro-6000",
			"a100-40gb", "a100-80gb", "h100", "h200", "b200", "b300", "trainium", "trainium2"},
	}
	for _, family := range families() {
		for _, size := range strings.Split(family[1], ", ") {
			f := strings.Fields(size)
			row := machine.Type{Name: "ml." + family[0] + "." + f[0]}
			cpu, _ := strconv.ParseInt(f[1], 10, 64)
			memory, _ := strconv.ParseFloat(f[2], 64)
			row.CPUMillis, row.MemoryBytes = cpu*1000, int64(memory*float64(machine.GiB))
			if len(f) == 5 {
				row.GPU, _ = strconv.ParseInt(f[3], 10, 64)
				row.GPUType = f[4]
			}
			t.Types = append(t.Types, row)
		}
	}
	return t
})
