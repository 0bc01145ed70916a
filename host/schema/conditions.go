package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/stephost/stephost/host/diag"
)

// variables are what conditions see: config, settings, resources, environment
// and given. At StageOperator everything that a step may still say is unknown.
func (e *evaluation) variables() map[string]cty.Value {
	objects := map[Kind]map[string]cty.Value{Config: {}, Setting: {}}
	given := map[string]cty.Value{}
	for _, a := range e.schema.Attributes {
		v := e.values[a]
		later := a.Kind == Setting && e.in.Stage == StageOperator && !v.Given
		switch {
		case e.broken[a], a.Required() && !v.Given && !e.skipped[a] && !later:
			// Reported already (a missing one will be): nothing that depends on
			// it is judged.
			objects[a.Kind][a.Name], given[a.Name] = cty.UnknownVal(v.Value.Type()), cty.True
		case later:
			objects[a.Kind][a.Name], given[a.Name] = cty.UnknownVal(v.Value.Type()), cty.UnknownVal(cty.Bool)
		default:
			objects[a.Kind][a.Name], given[a.Name] = v.Value, cty.BoolVal(v.Given)
		}
	}
	return map[string]cty.Value{
		"config":      cty.ObjectVal(objects[Config]),
		"settings":    cty.ObjectVal(objects[Setting]),
		"given":       cty.ObjectVal(given),
		"resources":   e.outside(ResourceNames(), e.in.Resources),
		"environment": e.outside(EnvironmentNames(), e.in.Environment),
	}
}

func (e *evaluation) outside(names []string, given map[string]Given) cty.Value {
	out := map[string]cty.Value{}
	for _, name := range names {
		out[name] = cty.NullVal(cty.DynamicPseudoType)
		if e.in.Stage == StageOperator {
			out[name] = cty.DynamicVal
		}
	}
	for name, g := range given {
		if g.Value != cty.NilVal {
			out[name] = g.Value
		}
	}
	return cty.ObjectVal(out)
}

// applies evaluates applies_when: what does not apply must not be given, and
// is null. Conditions see the values as given, not each other's outcome.
func (e *evaluation) applies() {
	var ctx *hcl.EvalContext
	for _, a := range e.schema.Attributes {
		if a.AppliesWhen == nil {
			continue
		}
		if ctx == nil {
			ctx = conditionContext(e.variables())
		}
		switch holds, known, diags := condition(a.AppliesWhen, ctx); {
		case diags.HasErrors():
			e.failed(diags, fmt.Sprintf("applies_when of %q", a.Name))
		case !known:
			// Whether it is required cannot be told yet either.
			e.skipped[a] = len(e.given[a]) == 0
			e.later(fmt.Sprintf("whether %s %q applies", a.Kind, a.Name))
		case !holds:
			e.skipped[a] = true
			if given := e.given[a]; len(given) > 0 && !e.broken[a] {
				text := "It does not apply to what else is set."
				if a.AppliesWhenText != "" {
					text = "It applies only when " + a.AppliesWhenText + "."
				}
				e.add(fault(a, &given[len(given)-1], fmt.Sprintf("%q does not apply here", a.Name), text+" Remove it, or change the other."))
			}
			e.values[a] = &Value{Attribute: a, Value: null(a.Type), Origin: OriginFlavor, Range: a.DeclRange}
		}
	}
}

// conditions evaluates validations and rules.
func (e *evaluation) conditions() {
	var ctx *hcl.EvalContext
	context := func() *hcl.EvalContext {
		if ctx == nil {
			ctx = conditionContext(e.variables())
		}
		return ctx
	}
	for _, a := range e.schema.Attributes {
		v := e.values[a]
		if len(a.Validations) == 0 || e.broken[a] || a.Kind == Setting && e.in.Stage == StageOperator && !v.Given {
			continue
		}
		if bare, _ := v.Value.Unmark(); bare.IsKnown() && bare.IsNull() {
			continue
		}
		for _, c := range a.Validations {
			child := context().NewChild()
			child.Variables = map[string]cty.Value{"value": v.Value}
			e.validation(a, c, child)
		}
	}
	for _, r := range e.schema.Rules {
		e.rule(r, context())
	}
}

func (e *evaluation) validation(a *Attribute, c Validation, ctx *hcl.EvalContext) {
	holds, known, diags := condition(c.Condition, ctx)
	switch {
	case diags.HasErrors():
		e.failed(diags, fmt.Sprintf("validation of %q", a.Name))
	case !known:
		text := message(c.ErrorMessage, ctx)
		if text == hidden {
			text = "its value"
		}
		e.later(fmt.Sprintf("%s %q: %s", a.Kind, a.Name, text))
	case !holds:
		g := Given{NameRange: a.DeclRange, ValueRange: a.DeclRange}
		if given := e.given[a]; len(given) > 0 {
			g = given[len(given)-1]
		}
		d := fault(a, &g, fmt.Sprintf("Wrong value for %q", a.Name), sentence(message(c.ErrorMessage, ctx)))
		if c.Warning {
			d.Severity, d.Summary = hcl.DiagWarning, fmt.Sprintf("Doubtful value for %q", a.Name)
		}
		e.add(d)
	}
}

func (e *evaluation) rule(r *Rule, ctx *hcl.EvalContext) {
	holds, known, diags := condition(r.Condition, ctx)
	switch {
	case diags.HasErrors():
		e.failed(diags, "rule")
		return
	case !known:
		e.later(message(r.ErrorMessage, ctx))
		return
	case holds:
		return
	}
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Subject: place(e.in.Subject),
		Summary: "The values do not fit together", Detail: sentence(message(r.ErrorMessage, ctx))}
	if r.Warning {
		d.Severity = hcl.DiagWarning
	}
	var concerned []string
	for _, path := range r.Paths {
		g, a := e.find(path)
		if g == nil {
			continue
		}
		at := place(g.NameRange)
		if at == nil {
			at = place(g.ValueRange)
		}
		if len(concerned) == 0 && at != nil {
			d.Subject = at
			if a != nil && a.Sensitive {
				d.Extra = fault(a, g, "", "").Extra
			}
		}
		text := path
		if at != nil && !strings.HasPrefix(at.Filename, "-") {
			text = fmt.Sprintf("%s (%s line %d)", path, at.Filename, at.Start.Line)
		}
		concerned = append(concerned, text)
	}
	if len(concerned) > 1 {
		d.Detail += "\nIt concerns " + strings.Join(concerned, " and ") + "."
	}
	e.add(d)
}

// find is what was given at a rule's path, or nil.
func (e *evaluation) find(path string) (*Given, *Attribute) {
	root, name, _ := strings.Cut(path, ".")
	switch root {
	case "resources", "environment":
		from := e.in.Resources
		if root == "environment" {
			from = e.in.Environment
		}
		if g, ok := from[name]; ok {
			return &g, nil
		}
		return nil, nil
	case "config", "settings":
	default:
		name = root
	}
	a := e.schema.Lookup(name)
	if given := e.given[a]; a != nil && len(given) > 0 {
		return &given[len(given)-1], a
	}
	return nil, nil
}

// later notes what is checked at launch. At launch nothing is put off: values
// are known there, and an unknown condition is one on a broken value.
func (e *evaluation) later(what string) {
	text := "checked at launch: " + what
	if e.in.Stage != StageLaunch && !slices.Contains(e.deferred, text) {
		e.deferred = append(e.deferred, text)
	}
}

// failed reports a condition that cannot be evaluated: a mistake in the
// manifest. The library's detail may quote values, so it is left out when any
// attribute is sensitive.
func (e *evaluation) failed(diags hcl.Diagnostics, what string) {
	for _, d := range diags {
		detail := d.Summary + ": " + d.Detail
		if slices.ContainsFunc(e.schema.Attributes, func(a *Attribute) bool { return a.Sensitive && len(e.given[a]) > 0 }) {
			detail = d.Summary + "."
		}
		e.add(&hcl.Diagnostic{Severity: hcl.DiagError, Subject: d.Subject,
			Summary: "The flavor's own " + what + " fails",
			Detail:  detail + " This is a mistake in the flavor's manifest; tell its author."})
	}
}

func conditionContext(vars map[string]cty.Value) *hcl.EvalContext {
	return &hcl.EvalContext{Variables: vars, Functions: pure()}
}

// condition evaluates a condition: whether it holds, and whether that is known.
func condition(expr hcl.Expression, ctx *hcl.EvalContext) (holds, known bool, diags hcl.Diagnostics) {
	v, diags := diag.Evaluate(expr, ctx)
	if diags.HasErrors() {
		return false, false, diags
	}
	v, _ = v.Unmark()
	if !v.IsKnown() {
		return false, false, nil
	}
	b, err := convert.Convert(v, cty.Bool)
	if err != nil || b.IsNull() {
		r := expr.Range()
		return false, false, hcl.Diagnostics{{Severity: hcl.DiagError, Subject: &r,
			Summary: "Not a condition", Detail: "A condition must be true or false."}}
	}
	return b.True(), true, nil
}

// message evaluates an error message. What depends on a secret is hidden.
func message(expr hcl.Expression, ctx *hcl.EvalContext) string {
	if expr == nil {
		return "the condition does not hold"
	}
	v, diags := diag.Evaluate(expr, ctx)
	if diags.HasErrors() {
		// The value may be just what the message cannot show (null, a list).
		return "the condition does not hold"
	}
	if v.ContainsMarked() {
		return hidden
	}
	s, err := convert.Convert(v, cty.String)
	if err != nil || !s.IsKnown() || s.IsNull() {
		return "the condition does not hold"
	}
	return s.AsString()
}

// sentence makes a sentence of an error message.
func sentence(s string) string {
	s = capital(strings.TrimSpace(s))
	if s == "" || strings.ContainsAny(s[len(s)-1:], ".!?)") {
		return s
	}
	return s + "."
}
