package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/project"
)

// operatorExt ends the names of operator files.
const operatorExt = ".hcl"

// Operator is a stored operator: the text of its file, not yet decoded against
// a flavor's schema. Its fields are not to be written.
type Operator struct {
	// Name is the file's name and the block's label.
	Name string
	// Flavor is "name" or "name@version", as it is written.
	Flavor string
	// FlavorRange is where that stands.
	FlavorRange hcl.Range
	// File is the path of its file; Source what is in it.
	File   string
	Source []byte
	// Default says that steps without an operator use this one.
	Default bool
	// Err says why the file is no usable operator (hcl.Diagnostics when its
	// text is wrong). Only Operators returns such.
	Err error

	sources *diag.Sources
}

// Decode reads the text by the grammar of project files.
func (o *Operator) Decode() (*project.Operator, hcl.Diagnostics) {
	return project.DecodeOperator(o.Source, project.DecodeOptions{File: o.File, Dir: filepath.Dir(o.File), Sources: o.sources})
}

func (r *Registry) operatorFile(name string) string {
	return filepath.Join(r.home.Operators(), name+operatorExt)
}

// Operators lists the stored operators by name. A file that is wrong is listed
// with Err and does not keep the others from being used. Files are read each
// time: whoever edits one is honoured.
func (r *Registry) Operators(ctx context.Context) ([]*Operator, error) {
	entries, err := os.ReadDir(r.home.Operators())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &problem.Error{Summary: "cannot read the operators in " + r.home.Operators(), Err: err, Next: "check its permissions"}
	}
	chosen := r.readDefault()
	var out []*Operator
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), operatorExt)
		if !ok || strings.HasPrefix(name, ".") {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		o := r.readOperator(name)
		o.Default = o.Name == chosen
		out = append(out, o)
	}
	slices.SortFunc(out, func(a, b *Operator) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Operator finds one stored operator. Its error lists what exists, and what was
// meant, perhaps.
func (r *Registry) Operator(ctx context.Context, name string) (*Operator, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !validName(name) {
		return nil, r.noOperator(ctx, name)
	}
	o := r.readOperator(name)
	if errors.Is(o.Err, fs.ErrNotExist) {
		return nil, r.noOperator(ctx, name)
	}
	if o.Err != nil {
		return nil, o.Err
	}
	o.Default = name == r.readDefault()
	return o, nil
}

func (r *Registry) noOperator(ctx context.Context, name string) error {
	e := &problem.Error{Summary: "there is no operator " + quoted(name), Next: "see: stephost operator list"}
	all, err := r.Operators(ctx)
	if err != nil {
		return err
	}
	names := make([]string, 0, len(all))
	for _, o := range all {
		names = append(names, o.Name)
	}
	switch near := diag.Suggest(name, names); {
	case near != "":
		e.Next = "did you mean " + near + "?"
	case len(names) > 0:
		e.Detail = "There is: " + first(names, 8) + "."
	case validName(name):
		e.Detail = "No operator is registered yet."
		e.Next = "register it: stephost operator register " + name + " --flavor=FLAVOR, or write an operator block into stephost.hcl"
	default:
		e.Detail = "A name has " + nameRule + "."
	}
	return e
}

// readOperator reads and checks the outline of one file.
func (r *Registry) readOperator(name string) *Operator {
	o := &Operator{Name: name, File: r.operatorFile(name), sources: r.sources}
	if err := CheckOperatorName(name); err != nil {
		o.Err = &problem.Error{Summary: "the file " + o.File + " is ignored: its name is no name for an operator",
			Detail: "A name has " + nameRule + ".", Next: "rename the file and the block in it"}
		return o
	}
	src, err := readBounded(o.File, diag.MaxSource)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		o.Err = err
	case err != nil:
		o.Err = &problem.Error{Operator: name, Summary: "cannot read its file", Err: err, Next: "check its permissions"}
	default:
		o.outline(src)
	}
	return o
}

// outline takes name and flavor from the text: enough for listing, without the
// flavor's schema.
func (o *Operator) outline(src []byte) {
	o.Source = src
	file, diags := o.sources.Parse(o.File, src)
	if diags.HasErrors() {
		o.Err = diags
		return
	}
	fail := func(r hcl.Range, summary, detail string) {
		o.Err = hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &r}}
	}
	body, ok := file.Body.(*hclsyntax.Body)
	if !ok || len(body.Blocks) != 1 || len(body.Attributes) > 0 || body.Blocks[0].Type != "operator" || len(body.Blocks[0].Labels) != 1 {
		start := hcl.Range{Filename: o.File, Start: hcl.InitialPos, End: hcl.InitialPos}
		fail(start, "Not an operator file", fmt.Sprintf("A file in %s holds exactly one block: operator %q { ... }.", filepath.Dir(o.File), o.Name))
		return
	}
	block := body.Blocks[0]
	if label := block.Labels[0]; label != o.Name {
		fail(block.LabelRanges[0], "Name and file differ", fmt.Sprintf("The block's name is %q, but the file is %s. Rename one of them.", label, filepath.Base(o.File)))
		return
	}
	if attr := block.Body.Attributes["default"]; attr != nil {
		fail(attr.SrcRange, "The default is not set here", "Remove this line and run: stephost operator default "+o.Name)
		return
	}
	attr := block.Body.Attributes["flavor"]
	if attr == nil {
		fail(block.DefRange(), "Missing flavor", `An operator says what it is made of, for example flavor = "local".`)
		return
	}
	o.FlavorRange = attr.Expr.Range()
	v, vdiags := diag.Evaluate(attr.Expr, nil)
	if vdiags.HasErrors() || v.IsNull() || !v.IsKnown() || v.Type().FriendlyName() != "string" {
		fail(o.FlavorRange, "Flavor is not a text", `Write the flavor's name, for example flavor = "local" or flavor = "local@0.1.0".`)
		return
	}
	o.Flavor = v.AsString()
	if name, version := splitRef(o.Flavor); !validName(name) || strings.Contains(o.Flavor, "@") && checkVersion(version) != nil {
		fail(o.FlavorRange, "Not a flavor", fmt.Sprintf("%s is no flavor; write its name, for example \"local\" or \"local@0.1.0\".", quoted(o.Flavor)))
	}
}

// defaultFile names the default operator; it ends differently from operators.
func (r *Registry) defaultFile() string { return filepath.Join(r.home.Operators(), "default") }

func (r *Registry) readDefault() string {
	data, err := readBounded(r.defaultFile(), 1<<10)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// DefaultOperator is the name of the default operator, "" when there is none.
func (r *Registry) DefaultOperator(ctx context.Context) (string, error) {
	name := r.readDefault()
	if name == "" {
		return "", nil
	}
	if _, err := r.Operator(ctx, name); err != nil {
		return "", &problem.Error{Summary: "the default operator " + quoted(name) + " cannot be used", Err: err,
			Next: "choose another one: stephost operator default NAME"}
	}
	return name, nil
}

// SetDefaultOperator makes a stored operator the default; "" unsets it.
func (r *Registry) SetDefaultOperator(ctx context.Context, name string) error {
	return r.lockedOperators(ctx, func() error {
		if name == "" {
			return r.unsetDefault()
		}
		if _, err := r.Operator(ctx, name); err != nil {
			return err
		}
		return writeFile(r.defaultFile(), []byte(name+"\n"), 0o600)
	})
}

func (r *Registry) unsetDefault() error {
	err := os.Remove(r.defaultFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// lockedOperators runs f while no other process writes operators.
func (r *Registry) lockedOperators(ctx context.Context, f func() error) error {
	return wrapOperators(r.locked(ctx, r.home.Operators(), func() error {
		r.sweepStaging(r.home.Operators())
		return f()
	}), r)
}

// wrapOperators leaves what explains itself, and explains the rest.
func wrapOperators(err error, r *Registry) error {
	var diags hcl.Diagnostics
	var path *fs.PathError
	if err == nil || errors.As(err, &diags) || !errors.As(err, &path) {
		return err
	}
	return &problem.Error{Summary: "cannot write to the operators in " + r.home.Operators(), Err: err,
		Next: home.Next(err)}
}
