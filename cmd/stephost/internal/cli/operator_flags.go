package cli

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/manifest"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/registry"
	"github.com/stephost/stephost/host/schema"
)

// given is a flag that gives the operator a value, as it was typed.
type given struct {
	flag string // with its dashes: "--role", "--set role"
	name string // of an attribute, or a path: "environment.base_image"
	text string
}

// operatorFlags are the flags of `operator register` and `update`. Those of the
// flavor are made of its manifest, after --flavor was read.
type operatorFlags struct {
	flavor, flavorVersion   string
	unset                   []string
	asDefault, dry, replace bool
	given                   []given
	manifest                *manifest.Manifest
}

// fixed adds the flags that do not depend on the flavor.
func (o *operatorFlags) fixed(f *pflag.FlagSet, update bool) {
	f.SortFlags = false
	f.StringVar(&o.flavor, "flavor", "", "flavor: NAME (its newest version) or NAME@VERSION")
	if update {
		f.StringVar(&o.flavorVersion, "flavor-version", "", "move to this version of the flavor")
		f.StringArrayVar(&o.unset, "unset", nil, "remove a value (repeatable)")
	} else {
		f.BoolVar(&o.replace, "replace", false, "replace an operator of the same name")
	}
	f.BoolVar(&o.asDefault, "default", false, "steps that name no operator use this one")
	f.BoolVar(&o.dry, "dry-run", false, "check everything, write nothing")
	f.Var(&assignments{to: &o.given}, "set", "set any value: NAME=VALUE (repeatable)")
	annotate(f, "set", placeholderKey, "NAME=VALUE")
}

// flavored adds a flag for each attribute of the flavor.
func (o *operatorFlags) flavored(f *pflag.FlagSet, m *manifest.Manifest) {
	o.manifest = m
	for _, kind := range []schema.Kind{schema.Config, schema.Setting} {
		section := "Config of " + m.Name
		if kind == schema.Setting {
			section = "Settings of " + m.Name + " (defaults, a step may override)"
		}
		for _, at := range m.Schema.Attributes {
			if at.Kind != kind {
				continue
			}
			for i, name := range append([]string{at.Name}, at.Aliases...) {
				flag := strings.ReplaceAll(name, "_", "-")
				if f.Lookup(flag) != nil {
					continue // one of ours; --set reaches the attribute
				}
				f.Var(&valueFlag{to: &o.given, flag: "--" + flag, name: at.Name}, flag, attributeUsage(at))
				annotate(f, flag, sectionKey, section)
				annotate(f, flag, placeholderKey, typePlaceholder(at))
				f.Lookup(flag).Hidden = i > 0 || at.Deprecated != ""
				if at.Type == cty.Bool {
					f.Lookup(flag).NoOptDefVal = "true"
				}
			}
		}
	}
}

// typePlaceholder is the type where that is short.
func typePlaceholder(at *schema.Attribute) string {
	if t := at.TypeString(); len(t) <= 16 {
		return t
	}
	switch {
	case at.Type.IsListType(), at.Type.IsSetType(), at.Type.IsTupleType():
		return "list"
	case at.Type.IsMapType():
		return "map"
	default:
		return "object"
	}
}

// blockOf maps the flags of a step's values that an operator may carry as
// defaults to their blocks.
func blockOf(flag string) (path string) {
	name := strings.ReplaceAll(flag, "-", "_")
	switch name {
	case "image", "base_image", "dockerfile", "requirements_file", "registry", "platform", "python", "override", "allow_large":
		return "environment." + name
	case "cpu", "memory", "gpu", "gpu_type", "nodes", "disk", "shared_memory":
		return "resources." + name
	}
	if rest, ok := strings.CutPrefix(name, "timeout_"); ok {
		return "timeouts." + rest
	}
	if rest, ok := strings.CutPrefix(name, "retry_"); ok {
		return "retry." + rest
	}
	return ""
}

// defaults adds the flags of values that steps of this operator start with.
func (o *operatorFlags) defaults(f *pflag.FlagSet) {
	for _, p := range project.Flags() {
		path := blockOf(p.Name)
		if path == "" || f.Lookup(p.Name) != nil {
			continue
		}
		f.Var(&valueFlag{to: &o.given, flag: "--" + p.Name, name: path}, p.Name, p.Usage)
		annotate(f, p.Name, sectionKey, "Defaults of its steps")
		annotate(f, p.Name, placeholderKey, p.Value)
		if p.Value == "" {
			f.Lookup(p.Name).NoOptDefVal = "true"
		}
	}
}

func annotate(f *pflag.FlagSet, flag, key, value string) {
	_ = f.SetAnnotation(flag, key, []string{value})
}

// find is what a name means: an attribute of the flavor, or a path to one of
// the operator's blocks.
func (o *operatorFlags) find(name string) (*schema.Attribute, string) {
	block, rest, dotted := strings.Cut(name, ".")
	switch {
	case !dotted:
		if at := o.manifest.Schema.Lookup(name); at != nil {
			return at, ""
		}
		return nil, blockOf(name)
	case block == "config" || block == "settings":
		return o.manifest.Schema.Lookup(rest), ""
	case block == "environment" || block == "resources":
		if blockOf(rest) == block+"."+strings.ReplaceAll(rest, "-", "_") || rest == "registry_push" || rest == "registry_pull" {
			return nil, block + "." + strings.ReplaceAll(rest, "-", "_")
		}
	case block == "timeouts" || block == "retry":
		prefix := strings.TrimSuffix(block, "s") + "-"
		for _, f := range project.Flags() {
			if f.Name == prefix+strings.ReplaceAll(rest, "_", "-") {
				return nil, blockOf(f.Name)
			}
		}
	}
	return nil, ""
}

// names lists what find knows, for suggestions and completion.
func (o *operatorFlags) names() []string {
	var out []string
	for _, at := range o.manifest.Schema.Attributes {
		out = append(append(out, at.Name), at.Aliases...)
	}
	for _, f := range project.Flags() {
		if p := blockOf(f.Name); p != "" {
			out = append(out, p)
		}
	}
	return out
}

func (o *operatorFlags) unknown(g given, sources *diag.Sources) *hcl.Diagnostic {
	// The text may be a secret under a mistyped name: only the name is shown.
	d := atFlag(g, g.name, sources, fmt.Sprintf("Unknown name %q", problem.Bound(g.name, 100)),
		fmt.Sprintf("Flavor %s takes: %s.", o.manifest.Name, strings.Join(o.names(), ", ")))
	if near := diag.Suggest(g.name, o.names()); near != "" {
		d.Detail = fmt.Sprintf("Did you mean %q?", near)
	}
	return d
}

// plainValue is the text of a flag as the blocks of an operator take it. Paths
// become absolute: the stored file lies elsewhere.
func plainValue(path, text, dir string) cty.Value {
	switch path {
	case "environment.override", "environment.allow_large":
		if b, err := strconv.ParseBool(text); err == nil {
			return cty.BoolVal(b)
		}
	case "environment.dockerfile", "environment.requirements_file":
		if !filepath.IsAbs(text) {
			text = filepath.Join(dir, text)
		}
	case "resources.cpu", "resources.gpu", "resources.nodes", "retry.preempted", "retry.capacity", "retry.system", "retry.user":
		if diag.NumberFits(text) {
			if v, err := cty.ParseNumberVal(text); err == nil {
				return v
			}
		}
	}
	return cty.StringVal(text)
}

// pointAtFlags moves diagnostics about the text that stephost composed to the
// flags that gave it: nobody has seen that text.
func (o *operatorFlags) pointAtFlags(op *registry.Operator, diags hcl.Diagnostics, sources *diag.Sources) hcl.Diagnostics {
	flags := map[string]string{}
	for _, g := range o.given {
		attr, path := o.find(g.name)
		if attr != nil {
			flags["config."+attr.Name], flags["settings."+attr.Name] = g.flag, g.flag
		} else {
			flags[path] = g.flag
		}
	}
	places := attributeRanges(op)
	for i, d := range diags {
		if d.Subject == nil || d.Subject.Filename != op.File {
			continue
		}
		for path, r := range places {
			if flag := flags[path]; flag != "" && r.Start.Byte <= d.Subject.Start.Byte && d.Subject.Start.Byte <= r.End.Byte {
				moved := *d
				at := schema.TextRange(flag, string(sources.Bytes(flag)))
				moved.Subject, moved.Context, moved.Expression, moved.EvalContext = &at, nil, nil, nil
				diags[i] = &moved
			}
		}
	}
	return diags
}

// attributeRanges is where each attribute of an operator's text stands, by
// path.
func attributeRanges(op *registry.Operator) map[string]hcl.Range {
	out := map[string]hcl.Range{}
	file, _ := hclsyntax.ParseConfig(op.Source, op.File, hcl.InitialPos)
	if file == nil {
		return out
	}
	var walk func(prefix string, b *hclsyntax.Body)
	walk = func(prefix string, b *hclsyntax.Body) {
		for _, at := range b.Attributes {
			out[prefix+strings.ReplaceAll(at.Name, "-", "_")] = at.SrcRange
		}
		for _, inner := range b.Blocks {
			walk(prefix+inner.Type+".", inner.Body)
		}
	}
	if body, ok := file.Body.(*hclsyntax.Body); ok {
		for _, b := range body.Blocks {
			walk("", b.Body)
		}
	}
	return out
}

// peek reads what decides which flags there are: --flavor, --flavor-version, -C
// and the first argument. Everything else is looked at when all flags are
// known.
func peek(args []string) (o operatorFlags, dir, name string, help bool) {
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.ParseErrorsAllowlist.UnknownFlags = true
	f.SetNormalizeFunc(normalizeFlag)
	f.Usage = func() {}
	var ignored string
	f.StringVar(&o.flavor, "flavor", "", "")
	f.StringVar(&o.flavorVersion, "flavor-version", "", "")
	f.StringVarP(&ignored, "output", "o", "", "")
	f.StringVarP(&dir, "chdir", "C", "", "")
	f.StringVar(&ignored, "set", "", "")
	f.StringVar(&ignored, "unset", "", "")
	f.BoolVarP(&help, "help", "h", false, "")
	for _, b := range []string{"default", "dry-run", "replace"} {
		f.Bool(b, false, "")
	}
	_ = f.Parse(args)
	return o, dir, f.Arg(0), help
}

// parseAll parses args, now that all flags are known, and gives the arguments.
func parseAll(cmd *cobra.Command, args []string) ([]string, error) {
	cmd.DisableFlagParsing = false
	err := cmd.ParseFlags(args)
	cmd.DisableFlagParsing = true
	if err != nil {
		return nil, flagError(cmd, err)
	}
	return cmd.Flags().Args(), nil
}

// valueFlag keeps the text of a flag for later.
type valueFlag struct {
	to         *[]given
	flag, name string
}

func (v *valueFlag) Set(text string) error {
	*v.to = append(*v.to, given{flag: v.flag, name: v.name, text: text})
	return nil
}
func (v *valueFlag) String() string { return "" }

// Type is the placeholder in the help, where there is no better one.
func (v *valueFlag) Type() string { return "value" }

// assignments is --set.
type assignments struct{ to *[]given }

func (v *assignments) Set(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return fmt.Errorf("write --set NAME=VALUE")
	}
	*v.to = append(*v.to, given{flag: "--set " + name, name: strings.TrimSpace(name), text: value})
	return nil
}
func (v *assignments) String() string { return "" }

// Type is the placeholder in the help.
func (v *assignments) Type() string { return "NAME=VALUE" }

var (
	_ pflag.Value = (*valueFlag)(nil)
	_ pflag.Value = (*assignments)(nil)
	_ pflag.Value = (*choice)(nil)
)
