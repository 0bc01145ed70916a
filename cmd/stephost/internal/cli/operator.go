package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
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

func (a *app) operatorCommand() *cobra.Command {
	flavors := a.flavorCommand()
	flavors.Hidden = true // the name that other hosts gave it: step-operator flavor
	return a.group("operator", "Operators: flavors with a name and a configuration", cobra.Command{
		Aliases: []string{"step-operator"},
		Long: `An operator is a flavor with a name and its configuration: what a step names. It
is stored in stephost's home as HCL that you can read and edit, or written in
stephost.hcl, where it hides a stored one of the same name.`,
		Example: `  stephost operator register here --flavor=local
  stephost operator list
  stephost operator describe here
  stephost operator default here`,
	}, a.operatorRegister(), a.operatorApply(), a.operatorList(), a.operatorDescribe(), a.operatorUpdate(), a.operatorRename(),
		a.operatorCopy(), a.operatorDelete(), a.operatorDefault(), flavors)
}

// operatorItem is an operator in JSON output.
type operatorItem struct {
	Name   string `json:"name"`
	Flavor string `json:"flavor,omitempty"`
	// Where is "registered" or "project".
	Where   string `json:"where"`
	Default bool   `json:"default"`
	// Hidden: a project's operator has the same name.
	Hidden bool        `json:"hidden,omitempty"`
	File   string      `json:"file,omitempty"`
	Error  string      `json:"error,omitempty"`
	Values []valueItem `json:"values,omitempty"`
	// Environments are the kinds that its steps may have, the preferred one first.
	Environments []string `json:"environment,omitempty"`
	Deferred     []string `json:"checked_at_launch,omitempty"`
	Warnings     []string `json:"warnings,omitempty"`
}

// valueItem is one value of an operator, or of a planned step.
type valueItem struct {
	Name   string `json:"name"`
	Value  string `json:"value,omitempty"` // as HCL
	Origin string `json:"origin"`
}

func itemOfOperator(o *registry.Operator) operatorItem {
	out := operatorItem{Name: o.Name, Flavor: o.Flavor, Where: "registered", Default: o.Default, File: o.File}
	if o.Err != nil {
		out.Error = errorText(o.Err)
	}
	return out
}

func (a *app) operatorList() *cobra.Command {
	return command("list", "List operators, registered ones and the project's", cobra.Command{
		Aliases: []string{"ls"},
		Args:    arguments(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cat, err := a.catalog()
			if err != nil {
				return err
			}
			stored, err := cat.Registry().Operators(cmd.Context())
			if err != nil {
				return err
			}
			p, _, perr := cat.Project(cmd.Context(), a.project())
			var wrong hcl.Diagnostics
			if perr != nil && !errors.As(perr, &wrong) {
				return perr // a directory that is not there, not a file that is wrong
			}
			items := []operatorItem{}
			if perr == nil {
				for _, name := range p.OperatorOrder {
					o := p.Operators[name]
					items = append(items, operatorItem{Name: name, Flavor: o.Flavor, Where: "project", Default: o.DefaultOperator, File: o.File})
				}
			}
			projectDefault := perr == nil && p.DefaultOperator() != nil
			for _, o := range stored {
				item := itemOfOperator(o)
				item.Hidden = perr == nil && p.Operators[o.Name] != nil
				item.Default = item.Default && !projectDefault
				items = append(items, item)
			}
			none := "There is no operator yet.\nNext: stephost operator register here --flavor=local"
			if perr != nil && a.json() {
				return a.encode(document{Version: documentVersion, Items: items, Diagnostics: cat.Sources().JSON(hcl.Diagnostics{{
					Severity: hcl.DiagWarning, Summary: "The project's operators are not listed", Detail: "Its files cannot be read; see `stephost validate`."}})})
			}
			err = a.items(items, len(items), none, []string{"OPERATOR", "FLAVOR", "WHERE", "NOTE"}, func(i int) []string {
				return operatorRow(items[i])
			})
			if perr != nil {
				a.warn("the project's operators are not listed: its files cannot be read; see `stephost validate`")
			}
			return err
		},
	})
}

func operatorRow(o operatorItem) []string {
	var notes []string
	if o.Default {
		notes = append(notes, "default")
	}
	if o.Hidden {
		notes = append(notes, "hidden by the project's")
	}
	where := "registered"
	if o.Where == "project" {
		where = o.File
	}
	if o.Error != "" {
		notes = append(notes, "unusable: see stephost operator describe "+o.Name)
	}
	return []string{o.Name, o.Flavor, where, strings.Join(notes, ", ")}
}

func (a *app) operatorDescribe() *cobra.Command {
	return command("describe NAME", "Show an operator's values and where each comes from", cobra.Command{
		Aliases: []string{"show"},
		Args:    arguments(1, "the NAME of an operator"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cat, err := a.catalog()
			if err != nil {
				return err
			}
			p, _, err := cat.Project(cmd.Context(), a.project())
			if err != nil {
				p = nil // a broken project must not hide what is registered
			}
			sel, err := cat.SelectOperator(cmd.Context(), p, args[0], schema.StageOperator)
			if err != nil {
				return err
			}
			return a.describeOperator(cmd.Context(), cat, sel)
		},
	})
}

func (a *app) describeOperator(ctx context.Context, cat *catalog.Catalog, sel *catalog.OperatorSelection) error {
	item := operatorItem{Name: sel.Operator.Name, Flavor: sel.Operator.Flavor, Where: "project", File: sel.Operator.File,
		Default: sel.Operator.DefaultOperator, Environments: sel.Config.Environments, Deferred: dueTexts(sel.Config.Deferred), Values: operatorValues(sel, cat.Sources())}
	if sel.Registered {
		item.Where = "registered"
		chosen, err := cat.Registry().DefaultOperator(ctx)
		item.Default = err == nil && chosen == item.Name
	}
	if a.json() {
		item.Warnings = warningTexts(sel.Warnings)
	} else {
		a.diagnostics(sel.Warnings)
	}
	return a.item(item, func(w io.Writer) error {
		fmt.Fprintf(w, "operator %s\n  flavor   %s\n  file     %s\n", item.Name, item.Flavor, item.File)
		if item.Default {
			fmt.Fprintln(w, "  default  yes")
		}
		fmt.Fprintln(w)
		err := table(w, []string{"VALUE", "IS", "FROM"}, len(item.Values), func(i int) []string {
			v := item.Values[i]
			// The file is named above.
			return []string{v.Name, cellText(v.Value), strings.ReplaceAll(v.Origin, item.File+":", "line ")}
		})
		for _, d := range item.Deferred {
			fmt.Fprintf(w, "checked at launch: %s\n", d)
		}
		return err
	})
}

// operatorValues are the values in the order of the manifest, then the defaults
// that the operator carries for its steps.
func operatorValues(sel *catalog.OperatorSelection, sources *diag.Sources) []valueItem {
	var out []valueItem
	for _, at := range sel.Manifest.Schema.Attributes {
		block, values := "config.", sel.Config.Values.Config
		if at.Kind == schema.Setting {
			block, values = "settings.", sel.Config.Values.Settings
		}
		v, ok := values[at.Name]
		if !ok {
			continue
		}
		origin := sel.Config.Origins[block+at.Name]
		if origin == "" {
			if origin = v.Origin; origin == schema.OriginFlavor {
				origin += " " + sel.Manifest.Name // as of the defaults that are not null
			}
		}
		item := valueItem{Name: block + at.Name, Value: schema.Literal(v.Value), Origin: origin}
		if at.Sensitive && v.Given {
			// What is written is a reference: a literal would have been refused.
			item.Value = sourceText(sources, v.Range)
		}
		out = append(out, item)
	}
	return append(out, stepDefaults(sel.Operator.Defaults, sources)...)
}

// stepDefaults are the values that the operator carries for its steps, as they
// are written.
func stepDefaults(b *project.Body, sources *diag.Sources) []valueItem {
	var out []valueItem
	add := func(path string, v *project.Value) {
		if v != nil {
			out = append(out, valueItem{Name: path, Value: sourceText(sources, v.Range), Origin: placeText(b.Origin, v.Range)})
		}
	}
	for _, block := range []struct {
		name   string
		values map[string]*project.Value
	}{{"environment", b.Environment}, {"resources", b.Resources}, {"timeouts", b.Timeouts}, {"retry", b.Retry}} {
		for _, name := range slices.Sorted(maps.Keys(block.values)) {
			add(block.name+"."+name, block.values[name])
		}
	}
	for _, s := range b.Sources {
		add("environment.source.path", s.Path)
	}
	add("env", b.Env)
	add("secrets", b.Secrets)
	add("labels", b.Labels)
	add("allow_visible_secrets", b.AllowVisibleSecrets)
	return out
}

func sourceText(sources *diag.Sources, r hcl.Range) string {
	src := sources.Bytes(r.Filename)
	if !r.CanSliceBytes(src) {
		return ""
	}
	return strings.TrimSpace(string(r.SliceBytes(src)))
}

func placeText(origin string, r hcl.Range) string {
	return fmt.Sprintf("%s (%s:%d)", origin, r.Filename, r.Start.Line)
}

// cellText bounds a value for a table.
func cellText(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	const width = 60
	if len(text) > width {
		return problem.Bound(text, width)
	}
	return text
}

func (a *app) operatorRename() *cobra.Command {
	return command("rename NAME NEW", "Give an operator another name", cobra.Command{
		Aliases: []string{"mv"},
		Long: `Gives an operator another name; the default follows. A run that is going on keeps
its own copy of the operator under the name that it was launched with: nothing of
it changes, and its ID finds it as before.`,
		Args: arguments(2, "the NAME of an operator", "its NEW name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cat, err := a.catalog()
			if err != nil {
				return err
			}
			if _, err := cat.Registry().RenameOperator(cmd.Context(), args[0], args[1]); err != nil {
				return err
			}
			return a.done("operator %s is now %s", args[0], args[1])
		},
	})
}

func (a *app) operatorCopy() *cobra.Command {
	return command("copy NAME NEW", "Store the same operator under a second name", cobra.Command{
		Aliases: []string{"cp"},
		Args:    arguments(2, "the NAME of an operator", "a NEW name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cat, err := a.catalog()
			if err != nil {
				return err
			}
			if _, err := cat.Registry().CopyOperator(cmd.Context(), args[0], args[1]); err != nil {
				return err
			}
			return a.done("operator %s copied to %s", args[0], args[1])
		},
	})
}

func (a *app) operatorDefault() *cobra.Command {
	var unset bool
	c := command("default [NAME]", "Say, or choose, the operator of steps that name none", cobra.Command{
		Args: arguments(0, "the NAME of an operator"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cat, err := a.catalog()
			if err != nil {
				return err
			}
			r := cat.Registry()
			switch {
			case unset && len(args) > 0:
				return &problem.Error{Summary: "--unset takes no name", Next: "write `stephost operator default --unset`"}
			case unset:
				if err := r.SetDefaultOperator(cmd.Context(), ""); err != nil {
					return err
				}
				return a.done("there is no default operator any more")
			case len(args) == 0:
				return a.showDefault(cmd.Context(), cat)
			}
			if err := r.SetDefaultOperator(cmd.Context(), args[0]); err != nil {
				return notStored(cmd.Context(), cat, a.project(), args[0], err)
			}
			return a.done("operator %s is the default", args[0])
		},
	})
	c.Flags().BoolVar(&unset, "unset", false, "have no default")
	return c
}

// notStored explains that a project's operator is made the default in its file.
func notStored(ctx context.Context, cat *catalog.Catalog, o catalog.ProjectOptions, name string, err error) error {
	p, _, perr := cat.Project(ctx, o)
	var own *problem.Error
	if perr != nil || p.Operators[name] == nil || !errors.As(err, &own) {
		return err
	}
	return &problem.Error{Operator: name, Summary: "it is the project's, in " + p.Operators[name].File, Next: "write default = true into its block"}
}

func (a *app) showDefault(ctx context.Context, cat *catalog.Catalog) error {
	p, _, err := cat.Project(ctx, a.project())
	if err != nil {
		return err
	}
	var chosen *project.Operator
	if chosen = p.DefaultOperator(); chosen != nil {
		return a.item(operatorItem{Name: chosen.Name, Flavor: chosen.Flavor, Where: "project", Default: true, File: chosen.File}, func(w io.Writer) error {
			_, err := fmt.Fprintln(w, chosen.Name)
			return err
		})
	}
	name, err := cat.Registry().DefaultOperator(ctx)
	if err != nil {
		return err
	}
	if name == "" {
		return &problem.Error{Summary: "there is no default operator", Next: "choose one: stephost operator default NAME"}
	}
	return a.item(operatorItem{Name: name, Where: "registered", Default: true}, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, name)
		return err
	})
}
