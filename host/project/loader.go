package project

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/schema"
)

const (
	// maxFiles bounds the number of project and variable files.
	maxFiles = 200
	// maxLocals bounds the locals of a project: each may hold the value of the
	// one before.
	maxLocals = 1000
	// stdinName and stdinJSON name standard input in messages; the ending
	// decides how it is parsed.
	stdinName = "<stdin>"
	stdinJSON = "<stdin>.json"
)

// loader reads one project.
type loader struct {
	sources *diag.Sources
	stdin   io.Reader
	dir     string // absolute
	given   string // the same as the caller wrote it, for messages
	project *Project
	names   *names
	broken  []string // locals in a circle
	diags   hcl.Diagnostics

	defaultsRange, projectRange *hcl.Range
	files                       int
}

func newLoader(sources *diag.Sources, dir string) *loader {
	n := &names{variables: map[string]*Variable{}, locals: map[string]*Value{}}
	return &loader{sources: sources, dir: dir, names: n, project: &Project{
		Dir: dir, Defaults: newBody("defaults"), Operators: map[string]*Operator{}, Steps: map[string]*Step{},
		Variables: n.variables, names: n,
	}}
}

func (l *loader) add(diags hcl.Diagnostics) {
	if len(diags) > 0 {
		l.diags = append(l.diags, l.sources.Explain(diags)...)
	}
}

func (l *loader) fail(r hcl.Range, summary, detail string) {
	l.diags = append(l.diags, errorAt(r, summary, detail))
}

func (l *loader) twice(r hcl.Range, what, name string, first hcl.Range) {
	l.fail(r, "Declared twice", fmt.Sprintf("The %s %q is declared twice; the first is at %s.", what, name, place(first)))
}

// pseudo makes text known as the source of a flag and gives its range.
func (l *loader) pseudo(flag, text string) hcl.Range {
	l.sources.Add(flag, []byte(text))
	return wholeRange(flag, text)
}

// wholeRange is the first line of a flag's text.
func wholeRange(flag, text string) hcl.Range {
	line, _, _ := strings.Cut(text, "\n")
	end := hcl.Pos{Line: 1, Column: 1 + len([]rune(line)), Byte: len(line)}
	return hcl.Range{Filename: flag, Start: hcl.InitialPos, End: end}
}

// display is a file's name as the caller can open it.
func (l *loader) display(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(l.given, name)
}

// read gives the bytes of a file and the directory that its paths start at.
func (l *loader) read(name string) (src []byte, dir string, ok bool) {
	if l.files++; l.files > maxFiles {
		if l.files == maxFiles+1 {
			l.fail(wholeRange(name, ""), "Too many files", fmt.Sprintf("A project has at most %d files.", maxFiles))
		}
		return nil, "", false
	}
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(l.dir, path)
	}
	src, err := readFile(path)
	if err != nil {
		l.fail(wholeRange(l.display(name), ""), "Cannot read file", fmt.Sprintf("%s: %s.", l.display(name), rootCause(err)))
		return nil, "", false
	}
	return src, filepath.Dir(path), true
}

// rootCause leaves the path out of an error: the message has it already.
func rootCause(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

// readFile reads a regular file, one byte more than the parser's limit at
// most: the parser then says what the limit is. A FIFO could hang for ever and
// a device never end.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, errors.New("is a directory; -C DIR looks for project files in it")
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is no regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, diag.MaxSource+1))
}

// readStdin is read for "-": JSON begins with a brace, HCL cannot.
func (l *loader) readStdin() (src []byte, name string, ok bool) {
	if l.stdin == nil {
		l.fail(wholeRange(stdinName, ""), "No standard input", "Standard input cannot be read here.")
		return nil, "", false
	}
	src, err := io.ReadAll(io.LimitReader(l.stdin, diag.MaxSource+1))
	if err != nil {
		l.fail(wholeRange(stdinName, ""), "Cannot read standard input", err.Error()+".")
		return nil, "", false
	}
	if t := bytes.TrimLeft(src, " \t\r\n\ufeff"); len(t) > 0 && t[0] == '{' {
		return src, stdinJSON, true
	}
	return src, stdinName, true
}

// load reads all files and decodes their blocks.
func (l *loader) load(ctx context.Context, o LoadOptions) {
	l.stdin = o.Stdin
	seen := map[string]bool{}
	type part struct {
		block *hcl.Block
		in    unit
		file  string
	}
	var parts []part
	for _, name := range o.Files {
		if err := ctx.Err(); err != nil {
			l.fail(wholeRange(name, ""), "Interrupted", err.Error()+".")
			return
		}
		if seen[filepath.Clean(name)] {
			continue
		}
		seen[filepath.Clean(name)] = true
		var src []byte
		dir, ok, display := l.dir, false, name
		if name == "-" {
			src, display, ok = l.readStdin()
		} else {
			src, dir, ok = l.read(name)
			display = l.display(name)
		}
		if !ok {
			continue
		}
		if len(l.project.Files) == 0 {
			l.project.Dir = dir
		}
		if name != "-" && l.project.name == "" {
			l.project.name = nameOf(dir)
		}
		l.project.Files = append(l.project.Files, display)
		file, diags := l.sources.Parse(display, src)
		l.diags = append(l.diags, diags...)
		content, diags := file.Body.Content(fileSchema())
		l.add(diags)
		for _, b := range content.Blocks {
			parts = append(parts, part{b, unit{dir: dir, names: l.names}, display})
		}
	}
	// Names first: a block may use what a later file declares.
	for _, p := range parts {
		switch p.block.Type {
		case "variable":
			l.decodeVariable(p.block, p.in)
		case "locals":
			l.decodeLocals(p.block, p.in)
		}
	}
	if len(l.names.locals) > maxLocals {
		l.fail(parts[0].block.DefRange, "Too many locals", fmt.Sprintf("A project has at most %d locals.", maxLocals))
		return
	}
	l.refuseCycles()
	l.chooseVariables(o)
	d := l.decoder()
	l.checkNames(d.e)
	for _, p := range parts {
		switch p.block.Type {
		case "project":
			l.decodeProject(p.block, p.in, d)
		case "defaults":
			l.decodeDefaults(p.block, p.in, d)
		case "operator":
			l.decodeOperator(p.block, p.in, p.file, d)
		case "step":
			l.decodeStep(p.block, p.in, d)
		}
	}
	l.diags = append(l.diags, d.diags...)
}

// checkNames evaluates every variable and local once, so that an error in one
// is seen before it is used.
func (l *loader) checkNames(e *evaluator) {
	for _, name := range sortedKeys(l.names.variables) {
		_, diags := e.named(l.names, "var", name)
		l.diags = append(l.diags, diags...)
	}
	for _, name := range sortedKeys(l.names.locals) {
		_, diags := e.named(l.names, "local", name)
		l.diags = append(l.diags, diags...)
	}
}

// decoder checks blocks while loading.
func (l *loader) decoder() *decoder {
	e := newEvaluator(schema.ModeValidate, nil, l.sources)
	return &decoder{
		e: e, shadow: e, references: newEvaluator(schema.ModeReference, nil, l.sources),
		stage: schema.StageStep, shown: place,
	}
}
