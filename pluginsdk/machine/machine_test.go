package machine_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/machine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const gib = machine.GiB

func table() *machine.Table {
	return &machine.Table{
		Vendor: "Hive", Source: "a page", Date: "2026-11", Attribute: "settings.type", Default: "m.large",
		GPUs: []string{"t4", "a10g", "v100"},
		Types: []machine.Type{
			{Name: "m.large", CPUMillis: 2000, MemoryBytes: 8 * gib},
			{Name: "m.xlarge", CPUMillis: 4000, MemoryBytes: 16 * gib},
			{Name: "r.large", CPUMillis: 2000, MemoryBytes: 16 * gib},
			{Name: "p.2xlarge", CPUMillis: 8000, MemoryBytes: 61 * gib, GPU: 1, GPUType: "v100"},
			{Name: "g.xlarge", CPUMillis: 4000, MemoryBytes: 16 * gib, GPU: 1, GPUType: "t4"},
			{Name: "g.16xlarge", CPUMillis: 64000, MemoryBytes: 256 * gib, GPU: 1, GPUType: "t4"},
			{Name: "g.12xlarge", CPUMillis: 48000, MemoryBytes: 192 * gib, GPU: 4, GPUType: "t4"},
			{Name: "n.4", CPUMillis: 4000, MemoryBytes: 15 * gib, GPU: 1, GPUType: "t4", Accelerator: "NVIDIA_T4"},
			{Name: "n.4", CPUMillis: 4000, MemoryBytes: 15 * gib, GPU: 1, GPUType: "v100", Accelerator: "NVIDIA_V100"},
		},
	}
}

func TestChoose(t *testing.T) {
	for name, c := range map[string]struct {
		asked pluginsdk.Resources
		want  string
		note  string
	}{
		"nothing":          {pluginsdk.Resources{}, "m.large", "no cpu, memory or gpu asked for -> m.large (2 cpu, 8 GiB, no GPU)"},
		"nodes alone":      {pluginsdk.Resources{Nodes: 4}, "m.large", "no cpu, memory or gpu asked for -> m.large (2 cpu, 8 GiB, no GPU)"},
		"cpu":              {pluginsdk.Resources{CPUMillis: 2500}, "m.xlarge", "cpu 2.5 -> m.xlarge (4 cpu, 16 GiB, no GPU)"},
		"few cores":        {pluginsdk.Resources{MemoryBytes: 10 * gib}, "r.large", "memory 10 GiB -> r.large (2 cpu, 16 GiB, no GPU)"},
		"exactly":          {pluginsdk.Resources{CPUMillis: 4000, MemoryBytes: 16 * gib}, "m.xlarge", "cpu 4, memory 16 GiB -> m.xlarge (4 cpu, 16 GiB, no GPU)"},
		"smallest gpu":     {pluginsdk.Resources{GPU: 1}, "n.4", "gpu 1 -> n.4 (4 cpu, 15 GiB, 1 x t4)"},
		"memory beside it": {pluginsdk.Resources{GPU: 1, MemoryBytes: 16 * gib}, "g.xlarge", "memory 16 GiB, gpu 1 -> g.xlarge (4 cpu, 16 GiB, 1 x t4)"},
		"kind alone":       {pluginsdk.Resources{GPUType: "v100", CPUMillis: 5000}, "p.2xlarge", "cpu 5, gpu 1 x v100 -> p.2xlarge (8 cpu, 61 GiB, 1 x v100)"},
		"more than asked":  {pluginsdk.Resources{GPU: 3, GPUType: "t4"}, "g.12xlarge", "gpu 3 x t4 -> g.12xlarge (48 cpu, 192 GiB, 4 x t4)"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := table().Choose(c.asked)
			require.NoError(t, err)
			assert.Equal(t, c.want, got.Name)
			assert.Equal(t, []string{c.note}, got.Notes)
		})
	}
}

func TestChooseRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		asked pluginsdk.Resources
		path  []string
		want  string
	}{
		"cpu":       {pluginsdk.Resources{CPUMillis: 8000}, []string{"resources", "cpu"}, "no machine type of Hive gives one node cpu 8; the nearest is m.xlarge (4 cpu, 16 GiB, no GPU) (table of 2026-11)"},
		"memory":    {pluginsdk.Resources{MemoryBytes: 20 * gib}, []string{"resources", "memory"}, "no machine type of Hive gives one node memory 20 GiB; the nearest is r.large (2 cpu, 16 GiB, no GPU) (table of 2026-11)"},
		"gpus":      {pluginsdk.Resources{GPU: 8, GPUType: "t4"}, []string{"resources", "gpu"}, "no machine type of Hive gives one node gpu 8 x t4; the nearest is g.12xlarge (48 cpu, 192 GiB, 4 x t4) (table of 2026-11)"},
		"kind":      {pluginsdk.Resources{GPU: 1, GPUType: "t5"}, []string{"resources", "gpu_type"}, `no machine type of Hive has a t5 (table of 2026-11); did you mean "t4"? It has: t4, v100`},
		"no memory": {pluginsdk.Resources{GPU: 1, GPUType: "v100", MemoryBytes: 100 * gib}, []string{"resources", "memory"}, "no machine type of Hive gives one node memory 100 GiB, gpu 1 x v100; the nearest is p.2xlarge (8 cpu, 61 GiB, 1 x v100) (table of 2026-11)"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := table().Choose(c.asked)
			require.EqualError(t, err, c.want)
			var e *pluginsdk.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, c.path, e.Attribute)
			assert.Equal(t, pluginsdk.ClassConfig, e.Class)
		})
	}
}

func TestCheckNamesBothLines(t *testing.T) {
	got, err := table().Check("n.4", pluginsdk.Resources{GPU: 1, GPUType: "v100"})
	require.NoError(t, err)
	assert.Equal(t, "NVIDIA_V100", got.Accelerator, "the row that fits")

	_, err = table().Check("m.large", pluginsdk.Resources{CPUMillis: 4000, GPU: 1, GPUType: "t4"})
	require.EqualError(t, err, "the step asks for 4 cpu, but m.large has 2\n"+
		"the step asks for gpu 1, but m.large has no GPU\n"+
		"m.large (2 cpu, 8 GiB, no GPU) cannot give the step's resources (cpu 4, gpu 1 x t4): leave it out, or take n.4 (4 cpu, 15 GiB, 1 x t4)")
	var paths [][]string
	for _, one := range err.(interface{ Unwrap() []error }).Unwrap() {
		var e *pluginsdk.Error
		require.ErrorAs(t, one, &e)
		paths = append(paths, e.Attribute)
	}
	assert.Equal(t, [][]string{{"resources", "cpu"}, {"resources", "gpu"}, {"settings", "type"}}, paths)

	_, err = table().Check("g.xlarge", pluginsdk.Resources{GPU: 1, GPUType: "v100"})
	require.ErrorContains(t, err, "the step asks for v100, but g.xlarge has 1 x t4")
}

func TestUnknownNamesWarn(t *testing.T) {
	got, err := table().Check("m.larg", pluginsdk.Resources{GPU: 8})
	require.NoError(t, err, "a table ages")
	assert.Equal(t, "m.larg", got.Name)
	err = table().Known("m.larg")
	require.ErrorContains(t, err, `did you mean "m.large"?`)
	var e *pluginsdk.Error
	require.ErrorAs(t, err, &e)
	assert.True(t, e.Warning)
	require.NoError(t, table().Known("m.large"))
	assert.Empty(t, table().Suggest("quite-another"))
}
