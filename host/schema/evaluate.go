package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/diag"
)

// evaluation is one call of Evaluate.
type evaluation struct {
	schema *Schema
	in     Input
	// given are the values that a person wrote, per attribute, lowest
	// precedence first.
	given    map[*Attribute][]Given
	values   map[*Attribute]*Value
	broken   map[*Attribute]bool
	skipped  map[*Attribute]bool // applies_when is false
	diags    hcl.Diagnostics
	deferred []string
}

// Evaluate judges what was given against the schema: names, types, required
// attributes, limits, conditions and rules. It never runs anything. All
// diagnostics come at once. The result is never nil and complete as far as the
// errors allow (an attribute with a wrong value is null).
func (s *Schema) Evaluate(in Input) (*Result, hcl.Diagnostics) {
	e := &evaluation{schema: s, in: in,
		given:   map[*Attribute][]Given{},
		values:  map[*Attribute]*Value{},
		broken:  map[*Attribute]bool{},
		skipped: map[*Attribute]bool{},
	}
	e.collect(in.Config, Config)
	e.collect(in.Settings, Setting)
	e.resources()
	for _, a := range s.Attributes {
		e.values[a] = e.value(a)
	}
	e.applies()
	e.missing()
	e.conditions()
	r := &Result{Config: map[string]Value{}, Settings: map[string]Value{}, Deferred: e.deferred}
	for _, a := range s.Attributes {
		if a.Kind == Setting {
			r.Settings[a.Name] = *e.values[a]
		} else {
			r.Config[a.Name] = *e.values[a]
		}
	}
	return r, e.diags
}

func (e *evaluation) add(d *hcl.Diagnostic) { e.diags = append(e.diags, d) }

// collect sorts given values to their attributes. kind is that of the list: a
// list of config may hold settings (an operator's config block does).
func (e *evaluation) collect(list []Given, kind Kind) {
	for _, g := range list {
		a := e.schema.Lookup(g.Name)
		switch {
		case a == nil:
			e.unknownName(g, kind)
			continue
		case a.Kind == Config && kind == Setting:
			e.add(&hcl.Diagnostic{Severity: hcl.DiagError, Subject: place(g.NameRange),
				Summary: fmt.Sprintf("%q is fixed on the operator", a.Name),
				Detail:  "It is a config attribute, not a setting: write it into the operator's config block."})
			continue
		}
		if g.Value == cty.NilVal {
			g.Value = cty.NullVal(cty.DynamicPseudoType)
		}
		if bare, _ := g.Value.Unmark(); bare.IsKnown() && bare.IsNull() {
			continue // null = not set at this level
		}
		if a.Deprecated != "" {
			e.add(&hcl.Diagnostic{Severity: hcl.DiagWarning, Subject: place(g.NameRange),
				Summary: fmt.Sprintf("%q is deprecated", a.Name), Detail: a.Deprecated})
		}
		if i := slices.IndexFunc(e.given[a], func(o Given) bool {
			return o.Origin == g.Origin && fold(o.Name) != fold(g.Name)
		}); i >= 0 {
			e.add(&hcl.Diagnostic{Severity: hcl.DiagError, Subject: place(g.NameRange),
				Summary: fmt.Sprintf("%q and %q are the same", e.given[a][i].Name, g.Name),
				Detail:  fmt.Sprintf("They are two names of one attribute; give one of them, best %q.", a.Name)})
			continue
		}
		e.given[a] = append(e.given[a], g)
	}
}

func fold(name string) string { return strings.ReplaceAll(name, "-", "_") }

// place is a range for a diagnostic, or nil for none.
func place(r hcl.Range) *hcl.Range {
	if r.Filename == "" {
		return nil
	}
	return &r
}

func (e *evaluation) unknownName(g Given, kind Kind) {
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Subject: place(g.NameRange),
		Summary: fmt.Sprintf("Unknown %s %q", kind, bounded(g.Name))}
	kinds := []Kind{Config, Setting}
	if kind == Setting {
		kinds = []Kind{Setting}
	}
	known := e.schema.names(kinds...)
	name := fold(g.Name)
	switch near := diag.Suggest(g.Name, known); {
	case slices.Contains(EnvironmentNames(), name):
		d.Detail = fmt.Sprintf("%q belongs in an environment block.", name)
	case slices.Contains(ResourceNames(), name):
		d.Detail = fmt.Sprintf("%q belongs in a step's resources block.", name)
	case near != "":
		d.Detail = fmt.Sprintf("Did you mean %q?", near)
	case len(known) == 0:
		d.Detail = fmt.Sprintf("The flavor has no attribute that can be set here (%s).", kind)
	default:
		d.Detail = "The flavor has: " + list(known) + "."
	}
	e.add(d)
}

// value is an attribute's value before conditions: merged, checked, converted.
func (e *evaluation) value(a *Attribute) *Value {
	v := &Value{Attribute: a, Value: a.Default, Origin: OriginFlavor, Range: a.DeclRange}
	if a.Required() {
		v.Value = null(a.Type)
	}
	given := e.given[a]
	if len(given) == 0 {
		return v
	}
	if !a.MergeKeys {
		given = given[len(given)-1:]
	}
	for i := range given {
		g := &given[i]
		v.Given, v.Origin, v.Range = true, g.Origin, g.ValueRange
		out, diags := e.judge(a, g)
		e.diags = append(e.diags, diags...)
		if diags.HasErrors() {
			e.broken[a] = true
			v.Value = null(a.Type)
			return v
		}
		if i > 0 {
			out = merge(v.Value, out)
		}
		v.Value = out
	}
	if a.Sensitive {
		v.Value = v.Value.Mark(Sensitive)
	}
	return v
}

// judge checks one given value and converts it; the result is unmarked.
func (e *evaluation) judge(a *Attribute, g *Given) (cty.Value, hcl.Diagnostics) {
	bare, marks := g.Value.UnmarkDeep()
	_, secret := marks[Sensitive]
	if secret && !a.Sensitive {
		d := fault(a, g, fmt.Sprintf("%q is not for secrets", a.Name),
			"The value comes from secret() or another secret, and this attribute may be shown, stored and sent in the open. Hand secrets to the step through its secrets map.")
		d.Extra = diag.Secret{}
		if g.NameRange.Filename != "" {
			d.Subject = place(g.NameRange)
		}
		return cty.NilVal, hcl.Diagnostics{d}
	}
	reference := holdsReference(bare, func(kind string) bool { return true })
	if a.Sensitive && e.in.Stage != StageLaunch && !secret && !reference && bare.IsWhollyKnown() {
		return cty.NilVal, hcl.Diagnostics{fault(a, g, fmt.Sprintf("%q must not be written out", a.Name),
			"It is sensitive, and what is written here lands in files and in the shell's history. Refer to it:\n"+
				"  "+a.Name+" = env(\"NAME\"), file(\"PATH\") or secret(\"file:...|env:...|cmd:...|keyring:...\")\n"+
				"and on the command line: --"+a.Name+"=env:NAME, @FILE or - (standard input).")}
	}
	if !a.Sensitive && holdsReference(bare, func(kind string) bool { return kind == "secret" || e.in.Stage == StageLaunch }) {
		return cty.NilVal, hcl.Diagnostics{fault(a, g, fmt.Sprintf("%q holds a reference", a.Name),
			"A reference to a secret can stand in secrets and in sensitive attributes only.")}
	}
	out, wrong := a.convert(bare)
	var diags hcl.Diagnostics
	for _, m := range wrong {
		diags = append(diags, within(a, g, m))
	}
	if len(diags) > 0 {
		return cty.NilVal, diags
	}
	if e.in.Stage == StageLaunch && !out.IsWhollyKnown() {
		return cty.NilVal, hcl.Diagnostics{fault(a, g, fmt.Sprintf("%q is not known", a.Name),
			"At launch every value must be known.")}
	}
	for _, text := range a.limits(out) {
		diags = append(diags, fault(a, g, fmt.Sprintf("Wrong value for %q", a.Name), text))
	}
	return out, diags
}

// merge puts the keys of high over those of low; a null value of high leaves
// that of low. Both are of the same map type.
func merge(low, high cty.Value) cty.Value {
	switch {
	case !low.IsKnown() || !high.IsKnown():
		return cty.UnknownVal(high.Type())
	case low.IsNull():
		return high
	case high.IsNull():
		return low
	}
	out := map[string]cty.Value{}
	for _, m := range []cty.Value{low, high} {
		for k, v := range members(m) {
			if _, has := out[k]; has && v.IsKnown() && v.IsNull() {
				continue
			}
			out[k] = v
		}
	}
	if len(out) == 0 {
		return high
	}
	if high.Type().IsMapType() && !high.Type().ElementType().HasDynamicTypes() {
		return cty.MapVal(out)
	}
	return cty.ObjectVal(out)
}

// missing reports required attributes that nobody gave.
func (e *evaluation) missing() {
	for _, a := range e.schema.Attributes {
		if !a.Required() || e.broken[a] || e.skipped[a] || len(e.given[a]) > 0 ||
			a.Kind == Setting && e.in.Stage == StageOperator {
			continue
		}
		detail := fmt.Sprintf("It must be given (type %s).", a.TypeString())
		if a.Description != "" {
			detail = strings.TrimSpace(a.Description) + "\n" + detail
		}
		switch {
		case a.Kind == Setting:
			detail += fmt.Sprintf(" Write %s = ... into the step's settings block or the operator's config block.", a.Name)
		case e.in.Stage == StageOperator:
			detail += fmt.Sprintf(" Write %s = ... into the operator's config block; on the command line: --%s=...", a.Name, a.Name)
		default:
			detail += " Write it into the operator's config block."
		}
		e.add(&hcl.Diagnostic{Severity: hcl.DiagError, Subject: place(e.in.Subject),
			Summary: fmt.Sprintf("Missing %s %q", a.Kind, a.Name), Detail: detail})
	}
}

// resources refuses what the backend cannot give. Asking for nothing, or for
// one node, is no request.
func (e *evaluation) resources() {
	names := make([]string, 0, len(e.in.Resources))
	for name := range e.in.Resources {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		g := e.in.Resources[name]
		if slices.Contains(e.schema.Honours, name) || g.Value == cty.NilVal {
			continue
		}
		v, _ := g.Value.Unmark()
		if v.IsKnown() && (v.IsNull() ||
			v.Type() == cty.Number && (v.RawEquals(cty.Zero) || name == "nodes" && v.RawEquals(cty.NumberIntVal(1)))) {
			continue
		}
		subject := place(g.NameRange)
		if subject == nil {
			subject = place(g.ValueRange)
		}
		detail := "This flavor cannot give the step any resources of its choice."
		if len(e.schema.Honours) > 0 {
			detail = "This flavor can give: " + list(e.schema.Honours) + "."
		}
		e.add(&hcl.Diagnostic{Severity: hcl.DiagError, Subject: subject,
			Summary: fmt.Sprintf("The flavor cannot give %q", name), Detail: detail + " Remove it, or use another operator."})
	}
}
