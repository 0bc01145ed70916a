package requirements

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/stephost/stephost/host/environment/internal/group"
	"github.com/stephost/stephost/host/environment/internal/lock"
	"github.com/stephost/stephost/host/environment/source"
)

// workshop is a private directory in which an installer works, under a lock. A
// virtual environment and the packages for a base image come out of the same
// one.
type workshop struct {
	tmp         string // removed by whoever made it, in any case
	tool        string // "uv" or "pip"
	environ     environ
	items       []item
	constraints []item
	projects    []project
	neverCopy   []string
	store       *source.Store
	progress    func(string)
	logger      hclog.Logger
	lock        *lock.Lock
	redactor    *redactor
}

// scratch is behind the name of what is made, in that of its private directory.
const scratch = ".tmp"

// open makes the private directory, of a name that was never there: what a killed
// builder has left may still write to its own one.
func (w *workshop) open(name string) (err error) {
	left, _ := filepath.Glob(name + scratch + "*") // a key has nothing that Glob would read
	for _, dir := range left {
		_ = os.RemoveAll(dir)
	}
	w.tmp, err = os.MkdirTemp(filepath.Dir(name), filepath.Base(name)+scratch+"-*")
	return err
}

// secretLines are the lines whose addresses may hold credentials.
func secretLines(lists ...[]item) []string {
	var found []string
	for _, list := range lists {
		for _, it := range list {
			if strings.Contains(it.text, "://") {
				found = append(found, it.text)
			}
		}
	}
	return found
}

// run runs one command of the installer.
func (w *workshop) run(ctx context.Context, argv []string) error {
	env := w.environ.forTools(w.tmp)
	if w.tool == "pip" {
		env.forPip()
	}
	out, err := w.call(ctx, env, argv)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ended(ctx)
	}
	log, _ := readTail(w.log(), logTail)
	return failure(w.tool, out.Tail, log, err)
}

// call runs one command; what it printed is clean of credentials.
func (w *workshop) call(ctx context.Context, env environ, argv []string) (*group.Outcome, error) {
	stages := &stages{say: w.progress}
	out, err := group.Run(ctx, group.Command{
		// From an empty directory: "python -m" imports from the current one.
		Argv: argv, Env: env.list(), Dir: w.tmp, Hold: w.lock.File(),
		Line: func(line string) {
			line = w.redactor.clean(line)
			w.logger.Debug("install", "line", line)
			stages.line(line)
		},
	})
	for i, line := range out.Tail {
		out.Tail[i] = w.redactor.clean(line)
	}
	return out, err
}

// log is where pip writes what it does not show. It may hold credentials.
func (w *workshop) log() string { return filepath.Join(w.tmp, "pip.log") }

// readTail reads the end of a file.
func readTail(name string, limit int64) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(io.NewSectionReader(f, max(0, fi.Size()-limit), limit))
	return string(data), err
}

// files writes what the installer reads. They may hold credentials: mode 0600,
// in the directory that is removed in any case.
func (w *workshop) files(ctx context.Context) (requirements, constraints string, err error) {
	if err := w.copyProjects(ctx); err != nil {
		return "", "", err
	}
	if requirements, err = w.write("requirements.txt", w.items); err != nil {
		return "", "", err
	}
	if constraints, err = w.write("constraints.txt", w.constraints); err != nil {
		return "", "", err
	}
	return requirements, constraints, nil
}

// write writes the lines of a file; nothing, and no name, without lines.
func (w *workshop) write(name string, items []item) (string, error) {
	if len(items) == 0 {
		return "", nil
	}
	var text strings.Builder
	for _, it := range items {
		text.WriteString(it.text + "\n")
	}
	name = filepath.Join(w.tmp, name)
	if err := os.WriteFile(name, []byte(text.String()), 0o600); err != nil {
		return "", &scratchError{err}
	}
	return name, nil
}

// scratchError is about the private directory, not about the person's files.
type scratchError struct{ err error }

func (e *scratchError) Error() string { return e.err.Error() }
func (e *scratchError) Unwrap() error { return e.err }

// copyProjects copies the projects, for a build writes into its directory, and
// gives the lines that name them their text.
func (w *workshop) copyProjects(ctx context.Context) error {
	var places []string
	for i, p := range w.projects {
		t, err := w.store.Pack(ctx, []source.Root{{Path: p.path}}, source.Options{NeverCopy: w.neverCopy})
		if err != nil {
			return err
		}
		if t.Digest != p.digest {
			return &source.ChangedError{Path: p.path}
		}
		dir := filepath.Join(w.tmp, fmt.Sprintf("project-%d", i), filepath.Base(p.path))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		if err := w.store.CopyTo(ctx, t, dir); err != nil {
			return err
		}
		places = append(places, dir)
	}
	place := func(items []item) []item {
		var out []item
		for _, it := range items {
			if it.project > 0 {
				it.text = places[it.project-1] + it.suffix
			}
			out = append(out, it)
		}
		return out
	}
	w.items, w.constraints = place(w.items), place(w.constraints)
	return nil
}
