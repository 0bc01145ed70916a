package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"text/template"

	"github.com/stephost/stephost/host/manifest"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/internal/version"
)

// Language that a flavor is written in.
type Language string

// The languages with an SDK.
const (
	Go     Language = "go"
	Python Language = "python"
)

// Kind of a flavor.
type Kind string

const (
	// Launch runs the step inside the plugin process; the run is lost with it.
	Launch Kind = "launch"
	// Remote submits the step to a backend that outlives the process.
	Remote Kind = "remote"
)

// Languages are all languages.
func Languages() []string { return []string{string(Go), string(Python)} }

// Kinds are all kinds.
func Kinds() []string { return []string{string(Launch), string(Remote)} }

// Options of Write. All are required.
type Options struct {
	// Name of the flavor, as the manifest has it: at most 40 of a-z, 0-9, _ and
	// -, beginning with a letter.
	Name     string
	Language Language
	Kind     Kind
}

// Program is the name of the file that users register.
func (o Options) Program() string { return "stephost-flavor-" + o.Name }

// Package is the flavor's name as a Python package.
func (o Options) Package() string { return "flavor_" + strings.ReplaceAll(o.Name, "-", "_") }

// SDK is the version of the SDK that the project asks for.
func (o Options) SDK() string { return version.Version }

// Module is the Go module of the SDK.
func (o Options) Module() string { return "github.com/stephost/stephost" }

// dir is the directory of the templates of these options alone.
func (o Options) dir() string { return string(o.Language) + "-" + string(o.Kind) }

//go:embed all:templates
var templates embed.FS

// goodName is the manifest's own rule; Write says it in its own words before
// anything is written.
var goodName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z][a-z0-9_-]{0,39}$`) })

// check refuses options that no project can be made of.
func (o Options) check() error {
	switch {
	case !goodName().MatchString(o.Name):
		return &problem.Error{Summary: fmt.Sprintf("%q cannot be the name of a flavor", problem.Bound(o.Name, 100)),
			Detail: "It begins with a letter a-z and goes on with a-z, 0-9, _ and -, 40 in all.", Next: "choose another name, for example `hive`"}
	case o.Language != Go && o.Language != Python:
		return &problem.Error{Summary: fmt.Sprintf("there is no SDK for the language %q", problem.Bound(string(o.Language), 100)),
			Next: "use --language go or --language python; docs/plugin-protocol.md tells what any other language needs"}
	case o.Kind != Launch && o.Kind != Remote:
		return &problem.Error{Summary: fmt.Sprintf("%q is no kind of flavor", problem.Bound(string(o.Kind), 100)),
			Next: "use --kind launch (the step runs in the plugin process) or --kind remote (jobs outlive it)"}
	}
	return nil
}

// Write writes the project into dir, which must not exist or be empty; its
// parents are made. All problems that can be seen are found before the first
// byte is written. Errors are *problem.Error. A write that fails half way leaves
// what was written: nothing else was there.
func Write(dir string, o Options) error {
	if err := o.check(); err != nil {
		return err
	}
	files, err := render(o)
	if err != nil {
		return err
	}
	if err := free(dir); err != nil {
		return err
	}
	for _, f := range files {
		to := filepath.Join(dir, filepath.FromSlash(f.path))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return cannotWrite(dir, err)
		}
		if err := create(to, f); err != nil {
			return cannotWrite(to, err)
		}
	}
	return nil
}

// file is one file of a project; path is below its directory.
type file struct {
	path string
	data []byte
	mode fs.FileMode
}

// create never opens what somebody else has made in the meantime.
func create(to string, f file) error {
	w, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, f.mode)
	if err != nil {
		return err
	}
	_, err = w.Write(f.data)
	return errors.Join(err, w.Close())
}

// free refuses a directory that holds anything.
func free(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && len(entries) == 0:
		return nil
	case err == nil:
		return &problem.Error{Summary: fmt.Sprintf("%s is not empty", dir), Detail: "It holds " + entries[0].Name() + ", and nothing is overwritten.",
			Next: "name another directory with --dir"}
	}
	if info, statErr := os.Stat(dir); statErr == nil && !info.IsDir() {
		return &problem.Error{Summary: fmt.Sprintf("%s is a file", dir), Next: "name a directory with --dir"}
	}
	return cannotWrite(dir, err)
}

func cannotWrite(path string, err error) error {
	return &problem.Error{Summary: "cannot write " + path, Err: err, Next: "check its permissions, or name another directory with --dir"}
}

// render makes the files of a project, of the templates of its language and of
// its language and kind.
func render(o Options) ([]file, error) {
	var out []file
	for _, set := range []string{string(o.Language) + "-common", o.dir()} {
		root := path.Join("templates", set)
		err := fs.WalkDir(templates, root, func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			f, err := renderOne(p, strings.TrimPrefix(p, root+"/"), o)
			out = append(out, f)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// renderOne makes one file. In names, `dot-` stands for a leading dot and NAME,
// PACKAGE for the flavor's; `.x` before `.tmpl` makes an executable file.
func renderOne(from, name string, o Options) (file, error) {
	f := file{mode: 0o644}
	text, err := fs.ReadFile(templates, from)
	if err != nil {
		return f, err
	}
	t, err := template.New(from).Delims("[[", "]]").Option("missingkey=error").Parse(string(text))
	if err != nil {
		return f, fmt.Errorf("template %s: %w", from, err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, o); err != nil {
		return f, fmt.Errorf("template %s: %w", from, err)
	}
	f.data = b.Bytes()
	name = strings.TrimSuffix(name, ".tmpl")
	if rest, ok := strings.CutSuffix(name, ".x"); ok {
		name, f.mode = rest, 0o755
	}
	name = strings.NewReplacer("dot-", ".", "NAME", o.Name, "PACKAGE", o.Package()).Replace(name)
	if path.Base(name) == "flavor.hcl" {
		f.data = manifest.Stamp(f.data)
	}
	f.path = name
	return f, nil
}
