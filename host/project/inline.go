package project

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/diag"
)

// inlineOrigin is the level of flags.
const inlineOrigin = "command line"

// maxEnvFile is the size of an --env-file; a process takes no more than some
// megabytes of environment in any case.
const maxEnvFile = 1 << 20

// Inline collects the flags of one command line into a step. It is not safe
// for concurrent use.
type Inline struct {
	sources *diag.Sources
	in      unit
	step    *Step
	body    *Body
	texts   map[string][]byte
	diags   hcl.Diagnostics
	// In the order of the flags; a later one of the same name replaces.
	vars, fileVars, secrets, labels []pair
	requirements                    []hclsyntax.Expression
}

// pair is an element of a map that flags make.
type pair struct {
	name  string
	at    hcl.Range
	value hclsyntax.Expression
}

// NewInline starts a step from flags; relative paths start at dir (absolute).
func NewInline(sources *diag.Sources, dir string) *Inline {
	body := newBody(inlineOrigin)
	return &Inline{sources: sources, in: unit{dir: dir}, body: body, step: &Step{Body: body}, texts: map[string][]byte{}}
}

// Add takes one flag, without dashes, and its text. What is wrong with a value
// alone is said at once, the rest by Resolve.
func (i *Inline) Add(name, text string) hcl.Diagnostics {
	i.diags = nil
	f, err := flagNamed(name)
	if err != nil {
		return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Unknown flag", Detail: err.Error() + "."}}
	}
	f.add(i, f, text)
	return i.diags
}

// Command takes the arguments after "--". They reach the process byte for byte.
func (i *Inline) Command(argv []string) hcl.Diagnostics {
	i.diags = nil
	var args []hclsyntax.Expression
	for _, arg := range argv {
		args = append(args, newRawText(arg, i.place("--", strings.ToValidUTF8(arg, "\ufffd"))))
	}
	whole := hcl.Range{Filename: "--", Start: hcl.InitialPos, End: hcl.InitialPos}
	if len(args) > 0 {
		whole = hcl.RangeBetween(args[0].Range(), args[len(args)-1].Range())
	}
	i.step.Command = argv
	i.step.command = &Value{Name: "command", Origin: inlineOrigin, NameRange: whole, Range: whole, in: i.in,
		expr: &hclsyntax.TupleConsExpr{Exprs: args, SrcRange: whole, OpenRange: whole}}
	return nil
}

// Step is what was collected.
func (i *Inline) Step() *Step {
	s, body := *i.step, *i.body
	body.Env = i.object("env", append(i.fileVars[:len(i.fileVars):len(i.fileVars)], i.vars...))
	body.Secrets = i.object("secrets", i.secrets)
	body.Labels = i.object("labels", i.labels)
	if len(i.requirements) > 0 {
		r := hcl.RangeBetween(i.requirements[0].Range(), i.requirements[len(i.requirements)-1].Range())
		body.Environment["requirements"] = &Value{Name: "requirements", Origin: inlineOrigin, NameRange: r, Range: r, in: i.in,
			expr: &hclsyntax.TupleConsExpr{Exprs: i.requirements, SrcRange: r, OpenRange: r}}
	}
	s.Body = &body
	return &s
}

// object is a map that flags made; nil when there is no pair.
func (i *Inline) object(name string, pairs []pair) *Value {
	if len(pairs) == 0 {
		return nil
	}
	last := map[string]int{}
	for n, p := range pairs {
		last[p.name] = n
	}
	obj := &hclsyntax.ObjectConsExpr{SrcRange: pairs[0].at, OpenRange: pairs[0].at}
	for n, p := range pairs {
		if last[p.name] == n {
			obj.Items = append(obj.Items, hclsyntax.ObjectConsItem{
				KeyExpr: &hclsyntax.LiteralValueExpr{Val: cty.StringVal(p.name), SrcRange: p.at}, ValueExpr: p.value})
		}
	}
	return &Value{Name: name, Origin: inlineOrigin, expr: obj, NameRange: pairs[0].at, Range: pairs[0].at, in: i.in}
}

// place makes text known as (one more line of) the source of a flag.
func (i *Inline) place(flag, text string) hcl.Range {
	old := i.texts[flag]
	line := 1 + bytes.Count(old, []byte("\n"))
	all := append(append(bytes.Clone(old), text...), '\n')
	i.texts[flag] = all
	i.sources.Add(flag, all)
	start := hcl.Pos{Line: line, Column: 1, Byte: len(old)}
	first, _, _ := strings.Cut(text, "\n")
	return hcl.Range{Filename: flag, Start: start,
		End: hcl.Pos{Line: line, Column: 1 + utf8.RuneCountInString(first), Byte: len(old) + len(first)}}
}

func (i *Inline) fail(r hcl.Range, summary, detail string) {
	i.diags = append(i.diags, errorAt(r, summary, detail))
}

// textValue is a flag's text as a value.
func (i *Inline) textValue(name, flag, text string) *Value {
	r := i.place("--"+flag, text)
	return &Value{Name: name, Origin: inlineOrigin, expr: newRawText(text, r), NameRange: r, Range: r, in: i.in}
}

func (i *Inline) single(into map[string]*Value, f *Flag, text string) {
	name := strings.ReplaceAll(f.Name, "-", "_")
	into[name] = i.textValue(name, f.Name, text)
}

func (i *Inline) trimmed(into map[string]*Value, f *Flag, prefix, text string) {
	name := strings.ReplaceAll(strings.TrimPrefix(f.Name, prefix), "-", "_")
	into[name] = i.textValue(name, f.Name, text)
}

func (i *Inline) operator(f *Flag, text string) {
	i.step.OperatorName, i.step.OperatorRange = text, i.place("--"+f.Name, text)
}

func (i *Inline) name(f *Flag, text string) {
	r := i.place("--"+f.Name, text)
	if complaint := stepName("the name of the step", text); complaint != "" {
		i.fail(r, "Invalid name", complaint+".")
		return
	}
	i.step.Name = text
}

func (i *Inline) pipeline(f *Flag, text string) {
	i.step.Pipeline, i.step.pipeline = text, i.textValue("pipeline", f.Name, text)
}

func (i *Inline) pipelineRun(f *Flag, text string) {
	i.step.PipelineRun, i.step.pipelineRun = text, i.textValue("pipeline_run", f.Name, text)
}

func (i *Inline) allowVisible(f *Flag, text string) {
	i.body.AllowVisibleSecrets = i.textValue("allow_visible_secrets", f.Name, text)
}

func (i *Inline) requirement(f *Flag, text string) {
	i.requirements = append(i.requirements, newRawText(text, i.place("--"+f.Name, text)))
}

// source is PATH or PATH:TARGET; the colon of a Windows drive is no separator.
func (i *Inline) source(f *Flag, text string) {
	path, target := text, ""
	if at := strings.LastIndexByte(text, ':'); at > 1 {
		path, target = text[:at], text[at+1:]
	}
	b := &SourceBlock{Path: i.textValue("path", f.Name, path)}
	b.Range = b.Path.Range
	if target != "" {
		b.Target = i.textValue("target", f.Name, target)
	}
	i.body.Sources = append(i.body.Sources, b)
}

// assignment splits NAME=VALUE and places both.
func (i *Inline) assignment(f *Flag, text string) (name, value string, nameAt, valueAt hcl.Range, has bool) {
	name, value, has = strings.Cut(text, "=")
	r := i.place("--"+f.Name, text)
	nameAt, valueAt = r, r
	cut := r.Start
	cut.Byte += len(name)
	cut.Column += utf8.RuneCountInString(name)
	if cut.Byte <= r.End.Byte {
		nameAt.End = cut
		if has && cut.Byte < r.End.Byte {
			cut.Byte, cut.Column = cut.Byte+1, cut.Column+1
			valueAt.Start = cut
		}
	}
	return name, value, nameAt, valueAt, has
}

func (i *Inline) env(f *Flag, text string) {
	name, value, at, valueAt, has := i.assignment(f, text)
	i.vars = append(i.vars, envPair(name, value, has, at, valueAt))
}

// envPair is NAME=VALUE, or NAME alone: the value from here, at launch.
func envPair(name, value string, has bool, at, valueAt hcl.Range) pair {
	if !has {
		return pair{name, at, call("env", name, at)}
	}
	return pair{name, at, newRawText(value, valueAt)}
}

func (i *Inline) label(f *Flag, text string) {
	name, value, at, valueAt, has := i.assignment(f, text)
	if !has {
		i.fail(at, "Value missing", "A label is written NAME=VALUE.")
		return
	}
	i.labels = append(i.labels, pair{name, at, newRawText(value, valueAt)})
}

// envFile reads lines NAME=VALUE as they are (no quotes, no expansion), NAME
// alone, and comments. The file is no source of snippets: people keep
// credentials in such files.
func (i *Inline) envFile(f *Flag, text string) {
	r := i.place("--"+f.Name, text)
	path := text
	if !filepath.IsAbs(path) {
		path = filepath.Join(i.in.dir, path)
	}
	info, err := os.Stat(path)
	var src []byte
	switch {
	case err == nil && !info.Mode().IsRegular():
		err = fmt.Errorf("is no regular file")
	case err == nil && info.Size() > maxEnvFile:
		err = fmt.Errorf("has more than %d bytes", maxEnvFile)
	case err == nil:
		src, err = os.ReadFile(path)
	}
	if err != nil {
		i.fail(r, "Cannot read file", fmt.Sprintf("%s: %s.", text, rootCause(err)))
		return
	}
	lines := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(src, []byte("\ufeff"))))
	lines.Buffer(nil, maxEnvFile+1)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSuffix(lines.Text(), "\r")
		if t := strings.TrimSpace(line); t == "" || t[0] == '#' {
			continue
		}
		at := hcl.Range{Filename: text, Start: hcl.Pos{Line: n, Column: 1}, End: hcl.Pos{Line: n, Column: 1}}
		name, value, has := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		if complaint := envName(name); complaint != "" {
			i.fail(at, "Invalid line", fmt.Sprintf("Line %d of %s: %s.", n, text, complaint))
			continue
		}
		i.fileVars = append(i.fileVars, envPair(name, value, has, at, at))
	}
}
