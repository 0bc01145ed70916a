package main

import (
	"fmt"
	"path/filepath"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached"
	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
	"github.com/stephost/stephost/pluginsdk/detached/limit"
	"github.com/stephost/stephost/pluginsdk/detached/runner"
)

// built is what Submit sends to the runner, and what Plan shows.
type built struct {
	spec runner.Spec
	// plain is the environment without secrets, secret the names of those.
	plain  map[string]string
	secret []string
	python string
	notes  []string
	// unlimited says which limit is not kept, or "".
	unlimited string
}

func (b *built) note(format string, args ...any) {
	b.notes = append(b.notes, fmt.Sprintf(format, args...))
}

// build makes the request of a step. It reads the machine and changes nothing.
// Errors are what a person wrote (class config) and mean that nothing exists.
func (l *local) build(c Config, state jobdir.State, job jobdir.Job, s *pluginsdk.Step) (*built, error) {
	var settings Settings
	if err := s.DecodeSettings(&settings); err != nil {
		return nil, err
	}
	if err := detached.CheckTexts(s); err != nil {
		return nil, err
	}
	b := &built{spec: runner.Spec{
		Argv: s.Argv, Dir: job.Work(), Limit: s.Deadlines.Run,
		Locks: filepath.Join(state.Root(), "gpu"), Devices: l.machine.Devices,
	}}
	if err := l.limits(b, s.Resources, settings); err != nil {
		return nil, err
	}
	venv := ""
	if d := s.Environment.Directory; d != nil {
		if d.Path != "" {
			b.spec.Dir = d.Path
		}
		venv, b.python = d.Venv, d.Python
	}
	b.plain = detached.Environment(l.environ(), c.InheritEnv, job, s, venv)
	b.spec.Env, b.secret = detached.WithSecrets(b.plain, s.Secrets)
	return b, nil
}

// limits sets what the runner keeps, or refuses it.
func (l *local) limits(b *built, r pluginsdk.Resources, settings Settings) error {
	if r.Nodes > 1 {
		return pluginsdk.Config("resources.nodes", "this flavor runs on one machine, and the step asks for %d nodes", r.Nodes)
	}
	if r.GPUType != "" {
		return pluginsdk.Config("resources.gpu_type", "this flavor cannot choose a type of GPU: leave gpu_type out")
	}
	if err := l.limitCPU(b, r.CPUMillis); err != nil {
		return err
	}
	if err := l.limitMemory(b, r.MemoryBytes, settings.BestEffort); err != nil {
		return err
	}
	if r.GPU > 0 {
		if have := int64(len(l.machine.GPUs())); r.GPU > have {
			return pluginsdk.Config("resources.gpu", "%w", &limit.TooMuchError{What: "gpu", Asked: r.GPU, Have: have})
		}
		b.spec.GPUs = int(r.GPU)
		b.note("gpu %d -> CUDA_VISIBLE_DEVICES, chosen when the step starts", r.GPU)
	}
	return nil
}

func (l *local) limitCPU(b *built, millis int64) error {
	if millis == 0 {
		return nil
	}
	if !limit.CanPin {
		return pluginsdk.Config("resources.cpu", "this system cannot limit the cores of a process: leave cpu out")
	}
	cores := limit.Cores(millis)
	if have := limit.HaveCPUs(); cores > have {
		return pluginsdk.Config("resources.cpu", "%w", &limit.TooMuchError{What: "cpu", Asked: cores, Have: have})
	}
	b.spec.Cores = cores
	if cores*1000 != millis {
		b.note("cpu %g -> %d cores by affinity: a part of a core is rounded up", float64(millis)/1000, cores)
	} else {
		b.note("cpu %d -> %d cores by affinity", cores, cores)
	}
	return nil
}

func (l *local) limitMemory(b *built, bytes int64, bestEffort bool) error {
	if bytes == 0 {
		return nil
	}
	if have := limit.HaveMemory(); have > 0 && bytes > have && !bestEffort {
		return pluginsdk.Config("resources.memory", "%w", &limit.TooMuchError{What: "memory", Asked: bytes, Have: have})
	}
	parent, err := limit.MemoryParent()
	switch {
	case err == nil:
		b.spec.Memory = bytes
		b.note("memory %d bytes -> a control group below %s", bytes, parent)
	case bestEffort:
		b.unlimited = fmt.Sprintf("memory %d bytes -> NOT enforced (best_effort): %s", bytes, err)
		b.note("%s", b.unlimited)
	default:
		return pluginsdk.Config("resources.memory", "%w; or set best_effort = true to run without the limit", err)
	}
	return nil
}
