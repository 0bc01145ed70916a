package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/stephost/stephost/host/catalog"
	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/schema"
)

func (a *app) validateCommand() *cobra.Command {
	return command("validate [flags]", "Check stephost.hcl: every operator and every step", cobra.Command{
		Long: `Checks every operator and every step of the project, and the registered operators
that its steps use, against the manifests of their flavors. No plugin starts,
nothing goes over the network, and env(), file() and secret() stay unresolved.

The project is stephost.hcl and *.stephost.hcl in the current directory, or in
the nearest parent that has any, up to the repository's root.`,
		Example: `  stephost validate
  stephost validate -C examples/digits
  stephost validate -f train.hcl --var bucket=ml-dev`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return &problem.Error{Summary: fmt.Sprintf("`stephost validate` checks everything, and got %q", problem.Bound(args[0], 100)),
					Next: "run it without arguments, or name a file with -f FILE"}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return a.validate(cmd.Context()) },
	})
}

// validated is what validate found.
type validated struct {
	Valid     bool     `json:"valid"`
	Files     []string `json:"files"`
	Operators int      `json:"operators"`
	Steps     int      `json:"steps"`
	// Deferred are the checks that are due at launch, by what they belong to.
	Deferred []deferred `json:"checked_at_launch,omitempty"`
	// Unknown are flavors that are not known here: what they say is unchecked.
	Unknown []string `json:"unknown_flavors,omitempty"`

	diags hcl.Diagnostics
	// broken are operators with errors.
	broken []string
}

type deferred struct {
	Of    string `json:"of"`
	Check string `json:"check"`
}

func (a *app) validate(ctx context.Context) error {
	cat, err := a.catalog()
	if err != nil {
		return err
	}
	p, diags, err := cat.Project(ctx, a.project())
	if errors.As(err, &diags) && a.json() {
		a.exit = problem.Exit
		// Which files there are is known only when all can be read.
		return a.showValidated(cat, &validated{Files: append([]string{}, a.files...), diags: diags})
	}
	if err != nil {
		return err
	}
	if len(p.Files) == 0 {
		return &problem.Error{Summary: "there is no stephost.hcl here, nor in a directory above",
			Next: "write one, name a file with -f FILE, or go to the project's directory (-C DIR)"}
	}
	v := &validated{Files: p.Files, Operators: len(p.OperatorOrder), Steps: len(p.StepOrder)}
	v.add(diags)
	if err := v.operators(ctx, cat, p); err != nil {
		return err
	}
	if err := v.steps(ctx, cat, p); err != nil {
		return err
	}
	v.Valid = !v.diags.HasErrors()
	if !v.Valid {
		a.exit = problem.Exit
	}
	return a.showValidated(cat, v)
}

func (v *validated) operators(ctx context.Context, cat *catalog.Catalog, p *project.Project) error {
	for _, name := range p.OperatorOrder {
		if err := v.operator(ctx, cat, p, name); err != nil {
			return err
		}
	}
	var seen []string
	for _, name := range p.StepOrder {
		used := p.Steps[name].OperatorName
		if used == "" || p.Operators[used] != nil || slices.Contains(seen, used) {
			continue
		}
		seen = append(seen, used)
		if _, err := cat.Registry().Operator(ctx, used); err != nil {
			continue // the step that names it says so, with its place
		}
		if err := v.operator(ctx, cat, p, used); err != nil {
			return err
		}
	}
	return nil
}

func (v *validated) operator(ctx context.Context, cat *catalog.Catalog, p *project.Project, name string) error {
	sel, err := cat.SelectOperator(ctx, p, name, schema.StageOperator)
	if err != nil {
		if sel != nil && sel.Operator != nil && sel.Flavor == nil {
			v.unknownFlavor(ctx, cat, sel.Operator, err)
			return nil
		}
		v.broken = append(v.broken, name)
		return v.take(err, rangeOf(p.Operators[name]))
	}
	v.add(sel.Warnings)
	for _, d := range sel.Config.Deferred {
		v.postpone("operator "+name, d)
	}
	return nil
}

func rangeOf(o *project.Operator) *hcl.Range {
	if o == nil {
		return nil
	}
	return &o.Range
}

// unknownFlavor: a file can be checked where a flavor is not registered, as far
// as it goes; but a name that is nearly a known one is a slip.
func (v *validated) unknownFlavor(ctx context.Context, cat *catalog.Catalog, o *project.Operator, err error) {
	name, version, _ := strings.Cut(o.Flavor, "@")
	r := o.Range
	d := &hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: fmt.Sprintf("Flavor %q is not known here", o.Flavor), Subject: &r}
	p := problem.Of(err)
	d.Detail = sentences(p.Detail, fmt.Sprintf("What the flavor says about operator %q is not checked. Register its plugin, or its manifest alone: stephost flavor register PATH", o.Name))
	all, listErr := cat.Registry().Flavors(ctx)
	if listErr == nil {
		var names []string
		for _, f := range all {
			if f.Err == nil {
				names = append(names, f.Name)
			}
		}
		switch near := diag.Suggest(name, names); {
		case slices.Contains(names, name) && version != "":
			d.Severity, d.Detail = hcl.DiagError, sentences(p.Detail, "Register that version, or write another one.")
		case near != "":
			d.Severity, d.Detail = hcl.DiagError, fmt.Sprintf("Did you mean %q?", near)
		}
	}
	if d.Severity == hcl.DiagWarning {
		v.Unknown = append(v.Unknown, o.Flavor)
	}
	v.add(hcl.Diagnostics{d})
}

func sentences(texts ...string) string {
	return strings.TrimSpace(strings.Join(texts, " "))
}

func (v *validated) steps(ctx context.Context, cat *catalog.Catalog, p *project.Project) error {
	for _, name := range p.StepOrder {
		step := p.Steps[name]
		sel, err := cat.Select(ctx, catalog.StepRequest{Project: p, Step: name, Stage: schema.StageStep})
		if err != nil {
			at := step.Range
			if step.OperatorName != "" && step.OperatorRange.Filename != "" {
				at = step.OperatorRange
			}
			if sel := step.OperatorName; sel != "" {
				err = nearOperator(ctx, cat, p, sel, err)
			}
			if err := v.takeStep(err, step, &at); err != nil {
				return err
			}
			continue
		}
		for _, w := range sel.Warnings {
			if w.Summary != "Flavor not known here" { // said about the operator
				v.add(hcl.Diagnostics{w})
			}
		}
		for _, d := range sel.Resolved.Deferred {
			v.postpone("step "+name, d)
		}
	}
	return nil
}

// nearOperator adds the project's own operators to what is meant, perhaps.
func nearOperator(ctx context.Context, cat *catalog.Catalog, p *project.Project, name string, err error) error {
	var missing *problem.Error
	if p.Operators[name] != nil || !errors.As(err, &missing) {
		return err
	}
	if _, regErr := cat.Registry().Operator(ctx, name); regErr == nil {
		return err
	}
	names := slices.Clone(p.OperatorOrder)
	stored, listErr := cat.Registry().Operators(ctx)
	if listErr == nil {
		for _, o := range stored {
			names = append(names, o.Name)
		}
	}
	if near := diag.Suggest(name, names); near != "" {
		return &problem.Error{Summary: missing.Summary, Next: "did you mean " + near + "?"}
	}
	return &problem.Error{Summary: missing.Summary, Detail: "There is: " + strings.Join(names, ", ") + ".",
		Next: "name one of these, write an operator block, or register it: stephost operator register " + name + " --flavor=FLAVOR"}
}

// takeStep is take without what was said about the step's operator.
func (v *validated) takeStep(err error, step *project.Step, at *hcl.Range) error {
	var diags hcl.Diagnostics
	if !errors.As(err, &diags) || !slices.Contains(v.broken, step.OperatorName) {
		return v.take(err, at)
	}
	v.add(slices.DeleteFunc(slices.Clone(diags), func(d *hcl.Diagnostic) bool {
		return slices.ContainsFunc(v.diags, func(old *hcl.Diagnostic) bool { return old.Summary == d.Summary })
	}))
	return nil
}

// take keeps diagnostics, and makes one of a problem that is about what is
// written. What has nothing to do with the file comes back.
func (v *validated) take(err error, at *hcl.Range) error {
	var diags hcl.Diagnostics
	if errors.As(err, &diags) {
		v.add(diags)
		return nil
	}
	var p *problem.Error
	if !errors.As(err, &p) || at == nil {
		return err
	}
	summary := strings.ToUpper(p.Summary[:1]) + p.Summary[1:]
	detail := p.Detail
	if p.Next != "" {
		detail = sentences(detail, strings.ToUpper(p.Next[:1])+p.Next[1:]+".")
	}
	detail = strings.ReplaceAll(detail, "?.", "?")
	v.add(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: at}})
	return nil
}

// add keeps each diagnostic once: an operator's comes again with each step.
func (v *validated) add(diags hcl.Diagnostics) {
	for _, d := range diags {
		if !slices.ContainsFunc(v.diags, func(old *hcl.Diagnostic) bool { return sameDiagnostic(old, d) }) {
			v.diags = append(v.diags, d)
		}
	}
}

func sameDiagnostic(a, b *hcl.Diagnostic) bool {
	if a.Severity != b.Severity || a.Summary != b.Summary {
		return false
	}
	if a.Subject == nil || b.Subject == nil {
		return a.Subject == b.Subject && a.Detail == b.Detail
	}
	return *a.Subject == *b.Subject
}

func (v *validated) postpone(of, check string) {
	d := deferred{of, dueText(check)}
	if !slices.Contains(v.Deferred, d) {
		v.Deferred = append(v.Deferred, d)
	}
}

// dueText leaves out what stands before every line in any case.
func dueText(check string) string { return strings.TrimPrefix(check, "checked at launch: ") }

func dueTexts(checks []string) []string {
	out := make([]string, len(checks))
	for i, c := range checks {
		out[i] = dueText(c)
	}
	return out
}

func (a *app) showValidated(cat *catalog.Catalog, v *validated) error {
	if a.json() {
		return a.encode(document{Version: documentVersion, Item: v, Diagnostics: cat.Sources().JSON(v.diags)})
	}
	a.diagnostics(v.diags)
	return a.item(v, func(w io.Writer) error {
		state := "valid"
		switch {
		case !v.Valid:
			state = "not valid"
		case len(v.Unknown) > 0:
			slices.Sort(v.Unknown)
			state = "valid, but unchecked against " + strings.Join(slices.Compact(v.Unknown), ", ")
		}
		out := w
		if !v.Valid {
			out = a.stderr
		}
		_, err := fmt.Fprintf(out, "%s, %s: %s\n", count(v.Operators, "operator"), count(v.Steps, "step"), state)
		if v.Valid {
			for _, d := range v.Deferred {
				fmt.Fprintf(w, "  checked at launch: %s: %s\n", d.Of, d.Check)
			}
		}
		return err
	})
}

// count is "1 step", "2 steps".
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
