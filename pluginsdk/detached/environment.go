package detached

import (
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
	"github.com/stephost/stephost/pluginsdk/detached/proc"
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

// Environment is the step's environment but for secrets, of this process's environ.
// inherit are names beyond the basic ones. Later wins: the machine, the step, the
// virtual environment (in PATH), and what stephost itself promises.
func Environment(environ, inherit []string, job jobdir.Job, s *pluginsdk.Step, venv string) map[string]string {
	env := make(map[string]string)
	for _, kv := range environ {
		name, value, ok := strings.Cut(kv, "=")
		if ok && (matches(baseline(), name) || slices.Contains(inherit, name)) {
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
	env["STEPHOST_OUTPUT_DIR"] = job.Output()
	env[proc.Mark] = job.Key
	return env
}

// WithSecrets is plain and the secrets in one, as a process gets it, and the names
// of the secrets. A secret wins over a plain variable of the same name, which is
// taken out of plain.
func WithSecrets(plain map[string]string, secrets map[string]pluginsdk.Secret) (env, names []string) {
	all := maps.Clone(plain)
	for name, value := range secrets {
		all[name] = value.Reveal()
		names = append(names, name)
		delete(plain, name)
	}
	slices.Sort(names)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		env = append(env, name+"="+all[name])
	}
	return env, names
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		prefix, wild := strings.CutSuffix(p, "*")
		return name == p || wild && strings.HasPrefix(name, prefix)
	})
}

// CheckTexts refuses what no process can be given.
func CheckTexts(s *pluginsdk.Step) error {
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
