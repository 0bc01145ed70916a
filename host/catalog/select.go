package catalog

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/stephost/stephost/host/manifest"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/registry"
	"github.com/stephost/stephost/host/schema"
)

// ProjectOptions say which project files are read.
type ProjectOptions struct {
	// Dir is where the search begins; "" = the working directory.
	Dir string
	// Files are read instead of a search; "-" is Stdin.
	Files    []string
	Stdin    io.Reader
	Vars     []string // NAME=VALUE
	VarFiles []string
}

// Project reads the project files. Without any it is an empty project, never
// nil. The error is hcl.Diagnostics or a *problem.Error.
func (c *Catalog) Project(ctx context.Context, o ProjectOptions) (*project.Project, hcl.Diagnostics, error) {
	dir := o.Dir
	if dir == "" {
		dir = "."
	}
	files := o.Files
	if len(files) == 0 {
		var err error
		if files, err = project.Discover(dir); err != nil {
			return nil, nil, err
		}
	}
	vars := map[string]string{}
	for _, v := range o.Vars {
		name, value, ok := strings.Cut(v, "=")
		if !ok {
			return nil, nil, &problem.Error{Summary: fmt.Sprintf("--var %s has no value", v), Next: "write --var NAME=VALUE"}
		}
		vars[name] = value
	}
	p, diags := project.Load(ctx, project.LoadOptions{
		Files: files, Stdin: o.Stdin, Vars: vars, VarFiles: o.VarFiles, Environ: os.Environ(),
		Sources: c.sources, Dir: dir})
	if diags.HasErrors() {
		return nil, nil, diags
	}
	return p, diags, nil
}

// StepRequest asks for a step as it would be launched.
type StepRequest struct {
	Project *project.Project
	// Step names a step of the project; "" = from Inline alone.
	Step string
	// Inline holds the values of the command line; may be nil.
	Inline *project.Step
	// Operator overrides what the step says; "" = the step's, else the default.
	Operator string
	Stage    schema.Stage
	// Chosen, if any, is called when operator and flavor are known and before the
	// step is resolved: a launch starts the plugin then, because both take
	// milliseconds and there are two cores. Its error ends the selection.
	Chosen func(context.Context, *Selection) error
}

// Selection is a step with its operator and flavor.
type Selection struct {
	Operator *project.Operator
	// Registered tells that the operator comes from the registry, not from the
	// project.
	Registered bool
	Flavor     *registry.Flavor
	Manifest   *manifest.Manifest
	Resolved   *project.Resolved
	Warnings   hcl.Diagnostics
}

// Select chooses the operator and resolves the step. The error is
// hcl.Diagnostics or a *problem.Error. No plugin is started.
func (c *Catalog) Select(ctx context.Context, q StepRequest) (*Selection, error) {
	if q.Step != "" && (q.Project == nil || q.Project.Steps[q.Step] == nil) {
		// Before any word about operators: a mistyped step names none.
		_, diags := project.Resolve(ctx, project.ResolveRequest{Project: q.Project, Step: q.Step})
		return nil, diags
	}
	name := q.operatorName()
	sel := &Selection{}
	var err error
	if sel.Operator, sel.Registered, err = c.operator(ctx, q.Project, name); err != nil {
		return nil, err
	}
	if err := c.flavorOf(ctx, sel, q.Stage); err != nil {
		return nil, err
	}
	if q.Chosen != nil {
		if err := q.Chosen(ctx, sel); err != nil {
			return nil, err
		}
	}
	resolved, diags := project.Resolve(ctx, project.ResolveRequest{
		Project: q.Project, Step: q.Step, Inline: q.Inline, Operator: sel.Operator, Manifest: sel.Manifest,
		Stage: q.Stage, Sources: c.sources, Resolver: c.Resolver(ctx)})
	if diags.HasErrors() {
		return nil, diags
	}
	sel.Resolved, sel.Warnings = resolved, append(sel.Warnings, diags...)
	return sel, nil
}

// operatorName is what flag, command line and step say, in this order.
func (q StepRequest) operatorName() string {
	if q.Operator != "" {
		return q.Operator
	}
	if q.Inline != nil && q.Inline.OperatorName != "" {
		return q.Inline.OperatorName
	}
	if q.Project != nil && q.Step != "" {
		if s := q.Project.Steps[q.Step]; s != nil {
			return s.OperatorName
		}
	}
	return ""
}

// operator finds an operator: the project's hides a registered one of the same
// name. Without a name it is the project's default, the registry's default, or
// the only one that there is.
func (c *Catalog) operator(ctx context.Context, p *project.Project, name string) (*project.Operator, bool, error) {
	if name != "" {
		if p != nil && p.Operators[name] != nil {
			return p.Operators[name], false, nil
		}
		o, err := c.registry.Operator(ctx, name)
		if err != nil {
			return nil, false, err
		}
		return decodeOperator(o)
	}
	if o := p.DefaultOperator(); o != nil {
		return o, false, nil
	}
	chosen, err := c.registry.DefaultOperator(ctx)
	if err != nil {
		return nil, false, err
	}
	if chosen != "" {
		return c.operator(ctx, p, chosen)
	}
	names := c.operatorNames(ctx, p)
	switch len(names) {
	case 1:
		return c.operator(ctx, p, names[0])
	case 0:
		return nil, false, &problem.Error{Summary: "there is no operator to launch with",
			Next: "register one, for example `stephost operator register here --flavor=local`, and name it with --operator"}
	default:
		return nil, false, &problem.Error{Summary: "the step names no operator, and there is no default",
			Detail: "There are: " + strings.Join(names, ", ") + ".",
			Next:   "add --operator NAME, write operator = \"NAME\" in the step, or choose a default with `stephost operator default NAME`"}
	}
}

func decodeOperator(o *registry.Operator) (*project.Operator, bool, error) {
	decoded, diags := o.Decode()
	if diags.HasErrors() {
		return nil, true, diags
	}
	return decoded, true, nil
}

func (c *Catalog) operatorNames(ctx context.Context, p *project.Project) []string {
	seen := map[string]bool{}
	var names []string
	if p != nil {
		for _, n := range p.OperatorOrder {
			seen[n] = true
			names = append(names, n)
		}
	}
	stored, err := c.registry.Operators(ctx)
	if err != nil {
		return names
	}
	for _, o := range stored {
		if !seen[o.Name] && o.Err == nil {
			names = append(names, o.Name)
		}
	}
	return names
}

// flavorOf finds the operator's flavor and its manifest. Only a launch needs
// them to be there: a file can be validated where a flavor is not registered.
func (c *Catalog) flavorOf(ctx context.Context, sel *Selection, stage schema.Stage) error {
	f, err := c.Flavor(ctx, sel.Operator.Flavor)
	if err != nil {
		if stage == schema.StageLaunch {
			return err
		}
		r := sel.Operator.Range
		sel.Warnings = append(sel.Warnings, &hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: "Flavor not known here",
			Detail:  fmt.Sprintf("%v. What the flavor says about operator %q is not checked.", err, sel.Operator.Name),
			Subject: &r})
		return nil
	}
	sel.Flavor = f
	for _, w := range f.Warnings {
		sel.Warnings = append(sel.Warnings, &hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: "Flavor " + f.Ref(), Detail: w})
	}
	sel.Manifest, err = f.Manifest(ctx)
	return err
}

// OperatorSelection is an operator with its flavor, checked against it.
type OperatorSelection struct {
	Selection
	// Project is the name of the project that it was selected in; "" = none.
	Project string
	Config  *project.ResolvedOperator
}

// SelectOperator finds an operator and checks it against its flavor's manifest.
// No plugin is started.
func (c *Catalog) SelectOperator(ctx context.Context, p *project.Project, name string, stage schema.Stage) (*OperatorSelection, error) {
	sel := &OperatorSelection{Project: p.Name()}
	var err error
	if sel.Operator, sel.Registered, err = c.operator(ctx, p, name); err != nil {
		return nil, err
	}
	return sel, c.checkOperator(ctx, sel, stage)
}

// CheckOperator checks a decoded operator that need not be stored.
func (c *Catalog) CheckOperator(ctx context.Context, o *project.Operator) (*OperatorSelection, error) {
	sel := &OperatorSelection{Selection: Selection{Operator: o}}
	return sel, c.checkOperator(ctx, sel, schema.StageOperator)
}

func (c *Catalog) checkOperator(ctx context.Context, sel *OperatorSelection, stage schema.Stage) error {
	if err := c.flavorOf(ctx, &sel.Selection, schema.StageLaunch); err != nil {
		return err
	}
	resolved, diags := project.ResolveOperator(ctx, project.OperatorRequest{
		Operator: sel.Operator, Manifest: sel.Manifest, Stage: stage, Sources: c.sources, Resolver: c.Resolver(ctx)})
	if diags.HasErrors() {
		return diags
	}
	sel.Config, sel.Warnings = resolved, append(sel.Warnings, diags...)
	return nil
}
