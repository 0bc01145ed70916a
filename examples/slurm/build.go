package main

import (
	_ "embed"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stephost/stephost/pluginsdk"
)

//go:embed batch.sh
var script string

// baseline are the variables of this machine that every step gets: what a login
// shell on a node would have.
func baseline() []string {
	return []string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ"}
}

// request is what Submit starts and Plan shows.
type request struct {
	// options of sbatch.
	options []string
	// work is where the step runs.
	work string
	argv []string
	// env is the step's environment without secrets.
	env   map[string]string
	notes []string
}

func (q *request) note(format string, args ...any) {
	q.notes = append(q.notes, fmt.Sprintf(format, args...))
}

// build makes the request of a step. It creates and asks nothing; an error is
// what a person wrote.
func build(c Config, r record, s *pluginsdk.Step) (*request, error) {
	var set Settings
	if err := s.DecodeSettings(&set); err != nil {
		return nil, err
	}
	q := &request{argv: s.Argv, work: r.file("work")}
	q.options = []string{
		"--parsable",
		"--job-name=" + r.key,
		"--comment=" + comment(r.key, s),
		"--output=" + r.file("stdout"),
		"--error=" + r.file("stderr"),
		"--chdir=" + r.dir,
		"--export=ALL",
		"--no-requeue",
		"--nodes=1",
		"--ntasks=1",
	}
	for _, o := range []struct{ name, value string }{
		{"partition", set.Partition}, {"account", set.Account}, {"qos", set.QOS}, {"constraint", set.Constraint},
	} {
		if o.value != "" {
			q.options = append(q.options, "--"+o.name+"="+o.value)
		}
	}
	if err := q.resources(s); err != nil {
		return nil, err
	}
	if err := q.environment(c, r, s); err != nil {
		return nil, err
	}
	return q, nil
}

// comment names the job's run, and its key once more: see nameless. It is
// escaped, because a token may hold anything and squeue separates fields by a
// character.
func comment(key string, s *pluginsdk.Step) string {
	return "stephost?" + url.Values{
		"key":   {key},
		"token": {s.Token}, "run": {s.RunID}, "attempt": {strconv.Itoa(s.Attempt)}, "digest": {s.RequestDigest},
		"step": {s.Name}, "pipeline": {s.Pipeline},
	}.Encode()
}

// fromComment reads what comment wrote.
func fromComment(text string) (meta, bool) {
	query, ok := strings.CutPrefix(text, "stephost?")
	if !ok {
		return meta{}, false
	}
	v, err := url.ParseQuery(query)
	if err != nil {
		return meta{}, false
	}
	attempt, _ := strconv.Atoi(v.Get("attempt"))
	return meta{Token: v.Get("token"), Run: v.Get("run"), Attempt: attempt, Digest: v.Get("digest")}, true
}

// keyOf is the key that a comment names.
func keyOf(text string) string {
	query, _ := strings.CutPrefix(text, "stephost?")
	v, _ := url.ParseQuery(query)
	return v.Get("key")
}

// resources are rounded up where Slurm counts in larger units, never down.
func (q *request) resources(s *pluginsdk.Step) error {
	r := s.Resources
	if r.Nodes > 1 {
		return pluginsdk.Config("resources.nodes", "this flavor runs a step on one node")
	}
	if r.CPUMillis > 0 {
		cores := (r.CPUMillis + 999) / 1000
		q.options = append(q.options, fmt.Sprintf("--cpus-per-task=%d", cores))
		if cores*1000 != r.CPUMillis {
			q.note("cpu %g -> %d cores: Slurm has no part of a core", float64(r.CPUMillis)/1000, cores)
		}
	}
	if r.MemoryBytes > 0 {
		q.options = append(q.options, fmt.Sprintf("--mem=%dK", (r.MemoryBytes+1023)/1024))
	}
	switch {
	case r.GPU > 0 && r.GPUType != "":
		q.options = append(q.options, fmt.Sprintf("--gres=gpu:%s:%d", r.GPUType, r.GPU))
	case r.GPU > 0:
		q.options = append(q.options, fmt.Sprintf("--gres=gpu:%d", r.GPU))
	case r.GPUType != "":
		return pluginsdk.Config("resources.gpu_type", "a type of GPU without a number: write gpu = 1")
	}
	if limit := s.Deadlines.Run; limit > 0 {
		// stephost keeps the exact limit; this one holds when nobody watches.
		minutes := int64((limit + time.Minute - 1) / time.Minute)
		q.options = append(q.options, fmt.Sprintf("--time=%d", minutes))
	}
	return nil
}

// environment sets the step's variables and work directory.
func (q *request) environment(c Config, r record, s *pluginsdk.Step) error {
	q.env = map[string]string{}
	for _, name := range baseline() {
		if value, ok := os.LookupEnv(name); ok {
			q.env[name] = value
		}
	}
	maps.Copy(q.env, s.Env)
	for _, name := range slices.Concat(slices.Sorted(maps.Keys(s.Env)), slices.Sorted(maps.Keys(s.Secrets))) {
		if strings.HasPrefix(name, "SLURM") || strings.HasPrefix(name, "SBATCH_") {
			return pluginsdk.Config("env."+name, "%s would change how Slurm takes the job; use a setting, or another name", name)
		}
	}
	if d := s.Environment.Directory; d != nil && d.Path != "" {
		if c.CopyWork && d.Venv != "" {
			return pluginsdk.Config("config.copy_work", "a step with requirements needs copy_work = false, and a stephost home that the nodes see: a virtual environment cannot be copied")
		}
		if !c.CopyWork {
			q.work = d.Path
		}
		if d.Venv != "" {
			q.env["VIRTUAL_ENV"] = d.Venv
			q.env["PATH"] = filepath.Join(d.Venv, "bin") + ":" + q.env["PATH"]
		}
	}
	q.env["STEPHOST_RUN"] = s.RunID
	q.env["STEPHOST_ATTEMPT"] = strconv.Itoa(s.Attempt)
	q.env["STEPHOST_OUTPUT_DIR"] = r.file("output")
	return nil
}
