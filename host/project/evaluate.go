package project

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/schema"
)

// evaluator gives values of expressions in one mode. It looks at no more
// variables and locals than an expression needs: a step must not fail because
// env() in the local of another step has nothing. It is made for one Load or
// Resolve and not safe for concurrent use; the project that it reads is.
type evaluator struct {
	mode      schema.Mode
	resolver  schema.Resolver
	sources   *diag.Sources
	functions map[string]map[string]function.Function // by directory
	memo      map[nameKey]cty.Value
}

// nameKey is a variable or local of one project.
type nameKey struct {
	names      *names
	root, name string
}

func newEvaluator(mode schema.Mode, r schema.Resolver, sources *diag.Sources) *evaluator {
	return &evaluator{mode: mode, resolver: r, sources: sources}
}

// value evaluates v. With errors it is unknown.
func (e *evaluator) value(v *Value) (cty.Value, hcl.Diagnostics) {
	val := v.fixed
	if v.expr != nil {
		var diags hcl.Diagnostics
		if val, diags = e.expression(v.expr, v.in); diags.HasErrors() {
			return cty.DynamicVal, diags
		}
	}
	if v.key == nil {
		return val, nil
	}
	return elementOf(val, *v.key), nil
}

// elementOf is an element of a map or object; null when it is not there.
func elementOf(val cty.Value, key string) cty.Value {
	val, marks := val.Unmark()
	var out cty.Value
	switch ty := val.Type(); {
	case !val.IsKnown() || ty == cty.DynamicPseudoType && !val.IsNull():
		out = cty.DynamicVal
	case val.IsNull():
		out = cty.NullVal(cty.DynamicPseudoType)
	case ty.IsObjectType() && ty.HasAttribute(key):
		out = val.GetAttr(key)
	case ty.IsMapType() && val.HasIndex(cty.StringVal(key)).True():
		out = val.Index(cty.StringVal(key))
	default:
		out = cty.NullVal(cty.DynamicPseudoType)
	}
	return out.WithMarks(marks)
}

// expression evaluates expr where it is at home.
func (e *evaluator) expression(expr hcl.Expression, in unit) (cty.Value, hcl.Diagnostics) {
	return e.expressionWith(expr, in, nil)
}

// expressionWith is expression with further variables, by root name.
func (e *evaluator) expressionWith(expr hcl.Expression, in unit, more map[string]cty.Value) (cty.Value, hcl.Diagnostics) {
	vars, diags := e.variables(expr, in, more)
	if diags.HasErrors() {
		return cty.DynamicVal, diags
	}
	ctx := &hcl.EvalContext{Variables: vars}
	if mayCall(expr) {
		ctx.Functions = e.functionsIn(in.dir)
	}
	val, d := diag.Evaluate(expr, ctx)
	diags = append(diags, e.explain(d)...)
	if diags.HasErrors() {
		return cty.DynamicVal, diags
	}
	return val, diags
}

// mayCall tells whether an expression may call a function. Most do not, and
// the table of functions costs more than all the rest of a small project.
func mayCall(expr hcl.Expression) bool {
	switch x := expr.(type) {
	case *hclsyntax.LiteralValueExpr, *hclsyntax.ScopeTraversalExpr, *rawText:
		return false
	case *hclsyntax.TemplateExpr:
		return slices.ContainsFunc(x.Parts, anyCall)
	case *hclsyntax.TemplateWrapExpr:
		return mayCall(x.Wrapped)
	case *hclsyntax.TupleConsExpr:
		return slices.ContainsFunc(x.Exprs, anyCall)
	case *hclsyntax.ObjectConsExpr:
		return slices.ContainsFunc(x.Items, func(i hclsyntax.ObjectConsItem) bool { return mayCall(i.KeyExpr) || mayCall(i.ValueExpr) })
	case *hclsyntax.ObjectConsKeyExpr:
		return mayCall(x.Wrapped)
	}
	return true
}

func anyCall(x hclsyntax.Expression) bool { return mayCall(x) }

// explain makes the evaluator's diagnostics fit to be shown: the evaluation
// context is taken off outside of validation, because it holds resolved values.
func (e *evaluator) explain(diags hcl.Diagnostics) hcl.Diagnostics {
	if len(diags) == 0 {
		return nil
	}
	if e.sources != nil {
		diags = e.sources.Explain(diags)
	}
	if e.mode == schema.ModeValidate {
		return diags
	}
	out := make(hcl.Diagnostics, len(diags))
	for i, d := range diags {
		c := *d
		c.EvalContext, c.Expression = nil, nil
		out[i] = &c
	}
	return out
}

func (e *evaluator) functionsIn(dir string) map[string]function.Function {
	f, ok := e.functions[dir]
	if !ok {
		f = schema.Functions(e.mode, e.resolver, dir)
		if e.functions == nil {
			e.functions = map[string]map[string]function.Function{}
		}
		e.functions[dir] = f
	}
	return f
}

// variables are the values that expr refers to.
func (e *evaluator) variables(expr hcl.Expression, in unit, more map[string]cty.Value) (map[string]cty.Value, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	var found map[string]map[string]cty.Value
	for _, t := range expr.Variables() {
		root := t.RootName()
		if _, ok := more[root]; ok {
			continue
		}
		if root != "var" && root != "local" {
			diags = append(diags, unknownRoot(t, in.names != nil))
			continue
		}
		if in.names == nil {
			diags = append(diags, errorAt(t.SourceRange(), "No variables here",
				"Variables and locals exist in project files (stephost.hcl) only."))
			continue
		}
		wanted, d := in.names.wanted(t)
		if d != nil {
			diags = append(diags, d)
			continue
		}
		for _, name := range wanted {
			val, ds := e.named(in.names, root, name)
			diags = append(diags, ds...)
			if found == nil {
				found = map[string]map[string]cty.Value{}
			}
			if found[root] == nil {
				found[root] = map[string]cty.Value{}
			}
			found[root][name] = val
		}
	}
	if len(found) == 0 && len(more) == 0 {
		return nil, diags
	}
	out := make(map[string]cty.Value, len(found)+len(more))
	for root, vals := range found {
		out[root] = cty.ObjectVal(vals)
	}
	for name, val := range more {
		out[name] = val
	}
	return out, diags
}

// wanted are the names of variables or locals that a traversal needs: one, or
// all when the whole object is used.
func (n *names) wanted(t hcl.Traversal) ([]string, *hcl.Diagnostic) {
	root := t.RootName()
	var all []string
	what := "variable"
	if root == "var" {
		all = sortedKeys(n.variables)
	} else {
		all, what = sortedKeys(n.locals), "local"
	}
	name, rng, ok := secondStep(t)
	if !ok {
		return all, nil
	}
	if slices.Contains(all, name) {
		return []string{name}, nil
	}
	hint := " None is declared."
	if s := diag.Suggest(name, all); s != "" {
		hint = fmt.Sprintf(" Did you mean %q?", s)
	} else if len(all) > 0 {
		hint = " There are: " + list(all) + "."
	}
	return nil, errorAt(rng, fmt.Sprintf("No such %s", what),
		fmt.Sprintf("No %s %q is declared.%s", what, name, hint))
}

// secondStep is NAME of var.NAME or var["NAME"].
func secondStep(t hcl.Traversal) (string, hcl.Range, bool) {
	if len(t) < 2 {
		return "", hcl.Range{}, false
	}
	switch s := t[1].(type) {
	case hcl.TraverseAttr:
		return s.Name, t.SourceRange(), true
	case hcl.TraverseIndex:
		if s.Key.Type() == cty.String && s.Key.IsKnown() && !s.Key.IsNull() {
			return s.Key.AsString(), t.SourceRange(), true
		}
	}
	return "", hcl.Range{}, false
}

// unknownRoot says what a newcomer who wrote ${HOME} or a bare word meant.
func unknownRoot(t hcl.Traversal, project bool) *hcl.Diagnostic {
	name := t.RootName()
	known := "var.NAME and local.NAME"
	if !project {
		known = "functions such as env()"
	}
	detail := fmt.Sprintf("There is no %q here; an expression can use %s. "+
		"To give the text %q, put it in quotes.", name, known, name)
	if name == strings.ToUpper(name) {
		detail = fmt.Sprintf("There is no %q here. To pass ${%s} on unchanged, for the step to expand, write $${%s}. "+
			"For the value that the variable has on this machine write env(%q).", name, name, name, name)
	}
	return errorAt(t.SourceRange(), "Unknown name", detail)
}

// named is the value of a variable or local. Its diagnostics come with the
// first use only.
func (e *evaluator) named(n *names, root, name string) (cty.Value, hcl.Diagnostics) {
	key := nameKey{n, root, name}
	if val, ok := e.memo[key]; ok {
		return val, nil
	}
	if e.memo == nil {
		e.memo = map[nameKey]cty.Value{}
	}
	// A cycle was reported when the project was loaded; here it must only end.
	e.memo[key] = cty.DynamicVal
	var val cty.Value
	var diags hcl.Diagnostics
	if root == "var" {
		val, diags = e.variable(n.variables[name])
	} else {
		val, diags = e.value(n.locals[name])
		if !diags.HasErrors() && diag.Weight(val, maxLocal) > maxLocal {
			diags = append(diags, errorAt(n.locals[name].NameRange, "Value too large",
				fmt.Sprintf("local.%s is larger than %d MiB.", name, maxLocal>>20)))
		}
	}
	if diags.HasErrors() {
		val = cty.DynamicVal
	}
	e.memo[key] = val
	return val, diags
}

func errorAt(r hcl.Range, summary, detail string) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &r}
}

func warningAt(r hcl.Range, summary, detail string) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: summary, Detail: detail, Subject: &r}
}

// place is a range for use inside a sentence.
func place(r hcl.Range) string { return fmt.Sprintf("%s:%d", r.Filename, r.Start.Line) }

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// list joins words for a sentence; a long list is cut.
func list(words []string) string {
	const most = 12
	if len(words) > most {
		return strings.Join(words[:most], ", ") + fmt.Sprintf(" and %d more", len(words)-most)
	}
	return strings.Join(words, ", ")
}
