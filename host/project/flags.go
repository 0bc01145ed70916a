package project

import (
	"fmt"
	"slices"

	"github.com/stephost/stephost/host/diag"
)

// Flag describes one flag of `stephost launch` that gives a value of the step.
type Flag struct {
	// Name without dashes, for example "base-image".
	Name string
	// Aliases are other names.
	Aliases []string
	// Value is the placeholder for help, for example "NAME=VALUE"; "" for a
	// flag that takes none (Inline.Add then takes "true" or "false").
	Value string
	Usage string
	// Repeatable flags may be given several times; another one given twice is
	// replaced by the last.
	Repeatable bool

	add func(i *Inline, f *Flag, text string)
}

// Flags lists the flags that Inline.Add accepts, in the order of the help.
func Flags() []Flag {
	environment := func(i *Inline, f *Flag, text string) { i.single(i.body.Environment, f, text) }
	resources := func(i *Inline, f *Flag, text string) { i.single(i.body.Resources, f, text) }
	timeouts := func(i *Inline, f *Flag, text string) { i.trimmed(i.body.Timeouts, f, "timeout-", text) }
	retry := func(i *Inline, f *Flag, text string) { i.trimmed(i.body.Retry, f, "retry-", text) }
	return []Flag{
		{Name: "operator", Value: "NAME", Usage: "operator that runs the step", add: (*Inline).operator},
		{Name: "step-name", Value: "NAME", Usage: "name of the step", add: (*Inline).name},
		{Name: "pipeline", Value: "NAME", Usage: "name of the pipeline", add: (*Inline).pipeline},
		{Name: "pipeline-run", Aliases: []string{"run-name"}, Value: "NAME", Usage: "name of the pipeline's run", add: (*Inline).pipelineRun},
		{Name: "image", Value: "IMAGE", Usage: "image to run as it is", add: environment},
		{Name: "base-image", Value: "IMAGE", Usage: "image to build the step's image on", add: environment},
		{Name: "dockerfile", Value: "PATH", Usage: "Dockerfile that the base image is built from", add: environment},
		{Name: "requirement", Value: "REQUIREMENT", Usage: "Python requirement, for example scikit-learn==1.5.*", Repeatable: true, add: (*Inline).requirement},
		{Name: "requirements-file", Value: "PATH", Usage: "requirements.txt, pyproject.toml, or a lock file (uv.lock, pylock.toml)", add: environment},
		{Name: "source", Value: "PATH[:TARGET]", Usage: "directory with the step's code", Repeatable: true, add: (*Inline).source},
		{Name: "registry", Value: "REGISTRY", Usage: "registry that images are pushed to", add: environment},
		{Name: "platform", Value: "OS/ARCH", Usage: "platform of the image, for example linux/amd64", add: environment},
		{Name: "python", Value: "VERSION", Usage: "Python version, for example 3.11, or path of an interpreter", add: environment},
		{Name: "override", Usage: "let requirements contradict the base image", add: environment},
		{Name: "allow-large", Usage: "let the source be larger than 1 GiB", add: environment},
		{Name: "env", Value: "NAME=VALUE", Usage: "environment variable; NAME alone passes the value on from here", Repeatable: true, add: (*Inline).env},
		{Name: "env-file", Value: "PATH", Usage: "file of NAME=VALUE lines", Repeatable: true, add: (*Inline).envFile},
		{Name: "secret", Value: "NAME[=SOURCE]", Usage: "secret environment variable from env:NAME, file:PATH, cmd:COMMAND or keyring:SERVICE/NAME", Repeatable: true, add: (*Inline).secret},
		{Name: "allow-visible-secrets", Usage: "let a backend without a secret store have the secrets", add: (*Inline).allowVisible},
		{Name: "cpu", Value: "CORES", Usage: "cores, for example 4 or 500m", add: resources},
		{Name: "memory", Value: "SIZE", Usage: "memory, for example 16GiB", add: resources},
		{Name: "gpu", Value: "COUNT", Usage: "GPUs for each node", add: resources},
		{Name: "gpu-type", Value: "TYPE", Usage: "GPU, for example t4, a10g or a100-80gb", add: resources},
		{Name: "nodes", Value: "COUNT", Usage: "nodes", add: resources},
		{Name: "disk", Value: "SIZE", Usage: "disk, for example 100GiB", add: resources},
		{Name: "shared-memory", Value: "SIZE", Usage: "shared memory, for example 8GiB", add: resources},
		{Name: "timeout-provisioning", Value: "DURATION", Usage: "longest wait for a machine, for example 20m", add: timeouts},
		{Name: "timeout-run", Value: "DURATION", Usage: "longest run, for example 2h", add: timeouts},
		{Name: "timeout-cancel", Value: "DURATION", Usage: "longest wait for a cancel", add: timeouts},
		{Name: "timeout-total", Value: "DURATION", Usage: "longest time for everything", add: timeouts},
		{Name: "timeout-log-drain", Value: "DURATION", Usage: "longest wait for the last logs", add: timeouts},
		{Name: "retry-preempted", Value: "COUNT", Usage: "further attempts after a preemption", add: retry},
		{Name: "retry-capacity", Value: "COUNT", Usage: "further attempts when there is no machine", add: retry},
		{Name: "retry-system", Value: "COUNT", Usage: "further attempts after a failure of the backend", add: retry},
		{Name: "retry-user", Value: "COUNT", Usage: "further attempts after a failure of the step itself", add: retry},
		{Name: "label", Value: "NAME=VALUE", Usage: "label", Repeatable: true, add: (*Inline).label},
		{Name: "set", Value: "NAME=VALUE", Usage: "setting of the flavor; lists and maps as HCL or JSON, or @FILE, env:NAME", Repeatable: true, add: (*Inline).set},
	}
}

// flagNamed finds a flag by name or alias.
func flagNamed(name string) (*Flag, error) {
	flags := Flags()
	var names []string
	for i := range flags {
		if flags[i].Name == name || slices.Contains(flags[i].Aliases, name) {
			return &flags[i], nil
		}
		names = append(names, flags[i].Name)
	}
	if s := diag.Suggest(name, names); s != "" {
		return nil, fmt.Errorf("there is no flag --%s; did you mean --%s", name, s)
	}
	return nil, fmt.Errorf("there is no flag --%s", name)
}
