package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/stephost/stephost/host/catalog"
	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/manifest"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/registry"
	"github.com/stephost/stephost/host/schema"
)

func (a *app) operatorUpdate() *cobra.Command {
	c := command("update NAME [flags]", "Change values of an operator, or move it to another version of its flavor", cobra.Command{
		Long: `Changes single values in an operator's file; comments and everything else stay.
The result is checked first, and what changes is shown. Flags are those of
` + "`stephost operator register`" + ` for the operator's flavor.`,
		Example: `  stephost operator update gpu --instance-type=ml.g5.2xlarge
  stephost operator update gpu --flavor-version=0.2.0 --dry-run
  stephost operator update gpu --unset=instance-type`,
		DisableFlagParsing: true,
	})
	o := &operatorFlags{}
	o.fixed(c.Flags(), true)
	c.RunE = func(cmd *cobra.Command, args []string) error { return a.runUpdate(cmd, o, args) }
	return c
}

func (a *app) runUpdate(cmd *cobra.Command, o *operatorFlags, args []string) error {
	ctx := cmd.Context()
	early, _, name, helped := peek(args)
	if name == "" {
		if helped {
			return cmd.Help()
		}
		return arguments(1, "the NAME of an operator, before the flags")(cmd, nil)
	}
	cat, err := a.catalog()
	if err != nil {
		return err
	}
	old, err := cat.Registry().Operator(ctx, name)
	if err != nil {
		return err
	}
	flavor := old.Flavor
	if early.flavor != "" {
		flavor = early.flavor
	}
	if early.flavorVersion != "" {
		base, _, _ := strings.Cut(flavor, "@")
		flavor = base + "@" + early.flavorVersion
	}
	f, err := cat.Flavor(ctx, flavor)
	if err != nil {
		return err
	}
	m, err := f.Manifest(ctx)
	if err != nil {
		return err
	}
	o.flavored(cmd.Flags(), m)
	o.defaults(cmd.Flags())
	if helped {
		return cmd.Help()
	}
	names, err := parseAll(cmd, args)
	if err != nil {
		return err
	}
	if err := switchValue(names); err != nil {
		return err
	}
	if err := arguments(1, "the NAME of an operator")(cmd, names); err != nil {
		return err
	}
	change, err := a.change(cat, o, old, m)
	if err != nil {
		return err
	}
	if flavor != old.Flavor {
		change.Flavor = f.Ref()
	}
	if change.Flavor == "" && len(change.Set) == 0 && len(change.Unset) == 0 && !o.asDefault {
		return &problem.Error{Operator: name, Summary: "nothing was asked to change", Next: "see `stephost operator update " + name + " --help`"}
	}
	before := a.effective(ctx, cat, old)
	var checked *catalog.OperatorSelection
	op, err := cat.Registry().UpdateOperator(ctx, name, change, registry.WriteOptions{DryRun: o.dry, Check: a.checkWith(o, cat, &checked)})
	if err != nil {
		return err
	}
	if !a.json() {
		for _, line := range difference(old, op, before, effectiveValues(checked)) {
			a.say("  %s", line)
		}
	}
	return a.wrote(ctx, cat, o, op, checked, "updated")
}

// change is what the flags ask for, put where each value stands already.
func (a *app) change(cat *catalog.Catalog, o *operatorFlags, old *registry.Operator, m *manifest.Manifest) (registry.OperatorChange, error) {
	at := map[string]string{}
	written := attributeRanges(old)
	for path := range written {
		block, name, _ := strings.Cut(path, ".")
		if attr := m.Schema.Lookup(name); attr != nil && (block == "config" || block == "settings") {
			at[attr.Name] = path
		}
	}
	opt, err := a.flagOptions(cat)
	if err != nil {
		return registry.OperatorChange{}, err
	}
	var change registry.OperatorChange
	var diags hcl.Diagnostics
	change.Set, diags = o.attrs(opt, at)
	if diags.HasErrors() {
		return change, diags
	}
	for _, name := range o.unset {
		// By its text first: a value that this version does not know any more
		// must be removable.
		path := strings.ReplaceAll(name, "-", "_")
		for _, p := range []string{path, "config." + path, "settings." + path} {
			if _, ok := written[p]; ok {
				path = p
			}
		}
		if attr, block := o.find(name); attr != nil && at[attr.Name] != "" {
			path = at[attr.Name]
		} else if attr == nil && block != "" {
			path = block
		}
		if _, ok := written[path]; !ok {
			p := &problem.Error{Operator: old.Name, Summary: fmt.Sprintf("%s is not set", problem.Bound(name, 100)), Next: "see `stephost operator describe " + old.Name + "`"}
			var have []string
			for p := range written {
				have = append(have, p, p[strings.LastIndexByte(p, '.')+1:])
			}
			slices.Sort(have)
			if near := diag.Suggest(name, have); near != "" {
				p.Next = "did you mean " + near + "?"
			}
			return change, p
		}
		change.Unset = append(change.Unset, path)
	}
	return change, nil
}

// effective is the operator's values as its flavor completes them; nil when
// they cannot be known (the former version is gone).
func (a *app) effective(ctx context.Context, cat *catalog.Catalog, op *registry.Operator) map[string]string {
	decoded, diags := op.Decode()
	if diags.HasErrors() {
		return nil
	}
	sel, err := cat.CheckOperator(ctx, decoded)
	if err != nil {
		return nil
	}
	return effectiveValues(sel)
}

func effectiveValues(sel *catalog.OperatorSelection) map[string]string {
	if sel == nil || sel.Config == nil {
		return nil
	}
	out := map[string]string{}
	for block, values := range map[string]map[string]schema.Value{"config.": sel.Config.Values.Config, "settings.": sel.Config.Values.Settings} {
		for name, v := range values {
			out[block+name] = schema.Literal(v.Value)
		}
	}
	return out
}

// difference says what changed: lines of the file, and defaults of the flavor
// that came with another version.
func difference(old, now *registry.Operator, before, after map[string]string) []string {
	texts := func(op *registry.Operator) map[string]string {
		out := map[string]string{}
		for path, r := range attributeRanges(op) {
			_, value, _ := strings.Cut(string(r.SliceBytes(op.Source)), "=")
			out[path] = strings.TrimSpace(value)
		}
		return out
	}
	was, is := texts(old), texts(now)
	var out []string
	written := map[string]bool{}
	line := func(path, from, to, note string) {
		from, to = problem.Bound(from, 200), problem.Bound(to, 200)
		switch {
		case from == "":
			out = append(out, fmt.Sprintf("%s: %s%s", path, to, note))
		case to == "":
			out = append(out, fmt.Sprintf("%s: %s removed%s", path, from, note))
		default:
			out = append(out, fmt.Sprintf("%s: %s -> %s%s", path, from, to, note))
		}
	}
	for _, path := range keysOf(was, is) {
		if was[path] != is[path] {
			line(path, was[path], is[path], "")
		}
		_, name, _ := strings.Cut(path, ".")
		written[name] = true
	}
	if before == nil {
		return out
	}
	for _, path := range keysOf(before, after) {
		if _, name, _ := strings.Cut(path, "."); before[path] != after[path] && !written[name] {
			line(path, before[path], after[path], " (the flavor's default)")
		}
	}
	return out
}

// keysOf is the sorted union.
func keysOf(maps ...map[string]string) []string {
	var out []string
	for _, m := range maps {
		for k := range m {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
