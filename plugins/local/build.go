package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/stephost/stephost/plugins/local/internal/jobdir"
	"github.com/stephost/stephost/plugins/local/internal/limit"
	"github.com/stephost/stephost/plugins/local/internal/proc"
	"github.com/stephost/stephost/plugins/local/internal/runner"
	"github.com/stephost/stephost/pluginsdk"
)

// baseline are the variables of this machine that every step gets: what a
// shell would have, and what a download through a company's network needs. A
// name that ends in "*" stands for all that begin so.
func baseline() []string {
	return []string{
		"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_*", "TZ", "TMPDIR", "XDG_*",
		"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
		"SSL_CERT_FILE", "SSL_CERT_DIR", "SYSTEMROOT",
	}
}

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
func (l *local) build(c Config, state jobdir.State, j jobdir.Job, s *pluginsdk.Step) (*built, error) {
	var settings Settings
	if err := s.DecodeSettings(&settings); err != nil {
		return nil, err
	}
	if err := checkTexts(s); err != nil {
		return nil, err
	}
	b := &built{spec: runner.Spec{
		Argv: s.Argv, Dir: j.Work(), Limit: s.Deadlines.Run,
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
	b.plain = l.environment(c, j, s, venv)
	all := maps.Clone(b.plain)
	for name, value := range s.Secrets {
		all[name] = value.Reveal()
		b.secret = append(b.secret, name)
		delete(b.plain, name) // a secret wins over a plain variable of the same name
	}
	slices.Sort(b.secret)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		b.spec.Env = append(b.spec.Env, name+"="+all[name])
	}
	return b, nil
}

// environment is the step's environment but for secrets. Later wins: the
// machine, the virtual environment, the step, and what stephost itself
// promises.
func (l *local) environment(c Config, j jobdir.Job, s *pluginsdk.Step, venv string) map[string]string {
	env := make(map[string]string)
	for _, kv := range l.environ() {
		name, value, ok := strings.Cut(kv, "=")
		if ok && (matches(baseline(), name) || slices.Contains(c.InheritEnv, name)) {
			env[name] = value
		}
	}
	maps.Copy(env, s.Env)
	if venv != "" {
		bin := filepath.Join(venv, "bin")
		if env["PATH"] == "" {
			env["PATH"] = bin
		} else {
			env["PATH"] = bin + string(filepath.ListSeparator) + env["PATH"]
		}
		env["VIRTUAL_ENV"] = venv
	}
	env["STEPHOST_RUN"] = s.RunID
	env["STEPHOST_ATTEMPT"] = strconv.Itoa(s.Attempt)
	env["STEPHOST_OUTPUT_DIR"] = j.Output()
	env[proc.Mark] = j.Key
	return env
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		prefix, wild := strings.CutSuffix(p, "*")
		return name == p || wild && strings.HasPrefix(name, prefix)
	})
}

// checkTexts refuses what no process can be given.
func checkTexts(s *pluginsdk.Step) error {
	for i, arg := range s.Argv {
		if strings.ContainsRune(arg, 0) {
			return pluginsdk.Config("command."+strconv.Itoa(i), "an argument cannot hold a NUL byte")
		}
	}
	for name, value := range s.Env {
		if badName(name) || strings.ContainsRune(value, 0) {
			return pluginsdk.Config("env."+name, "%.80q is no environment variable that a process can be given", name)
		}
	}
	for name, value := range s.Secrets {
		if badName(name) || strings.ContainsRune(value.Reveal(), 0) {
			return pluginsdk.Config("secrets."+name, "%.80q is no environment variable that a process can be given", name)
		}
	}
	return nil
}

func badName(name string) bool { return name == "" || strings.ContainsAny(name, "=\x00") }

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
