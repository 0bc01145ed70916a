package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/stephost/stephost/host/catalog"
	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/registry"
	"github.com/stephost/stephost/host/schema"
)

func (a *app) operatorRegister() *cobra.Command {
	c := command("register NAME --flavor=FLAVOR [flags]", "Give a flavor a name and its configuration", cobra.Command{
		Aliases: []string{"create"},
		Long: `Stores an operator: a flavor with its configuration, under a name that steps use.
Which flags there are depends on the flavor: add --flavor=FLAVOR --help.
"-" and "_" are the same in names of flags.

A value is text, a number, true or false; lists and objects are HCL or JSON;
@FILE reads it from a file, env:NAME takes it from the environment at launch,
- reads it from stdin. A text in double quotes is read as HCL reads it, which
gives those words as they are: --NAME='"@x"' is @x. Secrets are stored as
env:NAME, @FILE, cmd:COMMAND or keyring:SERVICE/NAME, never as the value itself.`,
		Example: `  stephost operator register here --flavor=local
  stephost operator register here --flavor=local --help
  stephost operator register gpu --flavor=sagemaker --role=train --instance-type=ml.g5.xlarge`,
		DisableFlagParsing: true,
	})
	o := &operatorFlags{}
	o.fixed(c.Flags(), false)
	c.RunE = func(cmd *cobra.Command, args []string) error { return a.runRegister(cmd, o, args) }
	return c
}

func (a *app) runRegister(cmd *cobra.Command, o *operatorFlags, args []string) error {
	early, dir, _, helped := peek(args)
	cat, err := a.catalog()
	if err != nil {
		return err
	}
	var f *registry.Flavor
	if early.flavor != "" {
		if f, err = cat.Flavor(cmd.Context(), early.flavor); err != nil {
			return err
		}
		m, err := f.Manifest(cmd.Context())
		if err != nil {
			return err
		}
		o.flavored(cmd.Flags(), m)
	}
	o.defaults(cmd.Flags())
	if helped {
		if a.dir == "" {
			a.dir = dir
		}
		return cmd.Help()
	}
	names, err := parseAll(cmd, args)
	if f == nil {
		return a.noFlavor(cmd.Context(), cat, args, err)
	}
	if err != nil {
		return err
	}
	if err := switchValue(names); err != nil {
		return err
	}
	if err := arguments(1, "a NAME for the operator")(cmd, names); err != nil {
		return err
	}
	opt, err := a.flagOptions(cat)
	if err != nil {
		return err
	}
	attrs, diags := o.attrs(opt, nil)
	if diags.HasErrors() {
		return diags
	}
	var checked *catalog.OperatorSelection
	op, err := cat.Registry().PutOperator(cmd.Context(), registry.OperatorSpec{Name: names[0], Flavor: f.Ref(), Attrs: attrs},
		registry.WriteOptions{Replace: o.replace, DryRun: o.dry, Check: a.checkWith(o, cat, &checked)})
	if err != nil {
		return err
	}
	if !o.dry {
		defer a.say("Next: stephost launch --operator %s -- COMMAND, or stephost doctor %s", op.Name, op.Name)
	}
	return a.wrote(cmd.Context(), cat, o, op, checked, "registered")
}

// switchValue explains "--spot false", which reads as a flag and an argument.
func switchValue(args []string) error {
	for _, arg := range args[min(1, len(args)):] {
		if arg == "true" || arg == "false" {
			return &problem.Error{Summary: fmt.Sprintf("%q stands where no argument belongs", arg), Next: "write --NAME=" + arg + ", with \"=\""}
		}
	}
	return nil
}

// noFlavor explains a missing --flavor; a mistyped one comes first.
func (a *app) noFlavor(ctx context.Context, cat *catalog.Catalog, args []string, parse error) error {
	for _, arg := range args {
		name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if strings.HasPrefix(arg, "--") && name != "flavor" && diag.Suggest(name, []string{"flavor"}) != "" {
			return parse
		}
	}
	p := &problem.Error{Summary: "an operator needs a flavor", Next: "add --flavor=NAME; see `stephost flavor list`"}
	all, err := cat.Registry().Flavors(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, f := range all {
		if f.Err == nil && !slices.Contains(names, f.Name) {
			names = append(names, f.Name)
		}
	}
	if len(names) == 0 {
		p.Detail, p.Next = "No flavor is known yet.", "register one first: stephost flavor register PATH"
	} else {
		p.Detail = "There is: " + strings.Join(names, ", ") + "."
	}
	return p
}

func (a *app) flagOptions(cat *catalog.Catalog) (project.FlagOptions, error) {
	dir, err := filepath.Abs(a.path("."))
	if err != nil {
		return project.FlagOptions{}, &problem.Error{Summary: "no working directory", Err: err, Next: "change to a directory that exists"}
	}
	return project.FlagOptions{Sources: cat.Sources(), Dir: dir, Stdin: a.stdin}, nil
}

// checkWith judges an operator before it is written.
func (a *app) checkWith(o *operatorFlags, cat *catalog.Catalog, out **catalog.OperatorSelection) func(context.Context, *registry.Operator) error {
	return func(ctx context.Context, op *registry.Operator) error {
		decoded, diags := op.Decode()
		if !diags.HasErrors() {
			sel, err := cat.CheckOperator(ctx, decoded)
			if err == nil {
				sel.Warnings = o.pointAtFlags(op, append(diags, sel.Warnings...), cat.Sources())
				*out = sel
				return nil
			}
			if !errors.As(err, &diags) {
				return err
			}
		}
		if missing := onlyComposed(op, diags); missing != "" && o.flavor != "" {
			// "Missing role" points at the composed block; the flag that named
			// the flavor is what the person wrote.
			cat.Sources().Add("--flavor", []byte(missing))
			for i, d := range diags {
				if d.Subject != nil && d.Subject.Filename == op.File && strings.HasPrefix(d.Summary, "Missing ") {
					moved, at := *d, schema.TextRange("--flavor", missing)
					moved.Subject, moved.Context = &at, nil
					diags[i] = &moved
				}
			}
		}
		return o.pointAtFlags(op, diags, cat.Sources())
	}
}

// onlyComposed is the flavor's name when the operator's file is not there yet.
func onlyComposed(op *registry.Operator, diags hcl.Diagnostics) string {
	if _, err := os.Stat(op.File); err == nil || len(diags) == 0 {
		return ""
	}
	return op.Flavor
}

// wrote makes the operator the default where asked, and says what was done.
func (a *app) wrote(ctx context.Context, cat *catalog.Catalog, o *operatorFlags, op *registry.Operator, sel *catalog.OperatorSelection, what string) error {
	if o.asDefault && !o.dry {
		if err := cat.Registry().SetDefaultOperator(ctx, op.Name); err != nil {
			return err
		}
	}
	item := itemOfOperator(op)
	item.Default = item.Default || o.asDefault
	if sel != nil {
		item.Deferred = dueTexts(sel.Config.Deferred)
		if a.json() {
			item.Warnings = warningTexts(sel.Warnings)
		} else {
			a.diagnostics(sel.Warnings)
		}
	}
	if o.dry {
		what = "is valid; nothing was written"
	}
	return a.item(item, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "operator %s (%s) %s\n", op.Name, op.Flavor, what)
		rules := 0
		for _, d := range item.Deferred {
			if o.dry || strings.HasSuffix(d, ": known at launch") {
				fmt.Fprintf(w, "  checked at launch: %s\n", d)
			} else {
				rules++
			}
		}
		// Their texts speak of what a step may do wrong; none has done it yet.
		if rules > 0 {
			fmt.Fprintf(w, "  checked at launch: %s of the flavor (stephost operator show %s)\n", count(rules, "rule"), op.Name)
		}
		return err
	})
}

func warningTexts(diags hcl.Diagnostics) []string {
	var out []string
	for _, d := range diags {
		out = append(out, strings.TrimSuffix(d.Summary+": "+d.Detail, ": "))
	}
	return out
}
