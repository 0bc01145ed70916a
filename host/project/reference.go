package project

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/schema"
)

// ways are how a secret can be given.
const ways = `env("NAME"), file("PATH") or secret("file:..|env:..|cmd:..|keyring:..")`

// reference gives the template that stands for a secret: the record of a run
// keeps where a value comes from, never the value. It refuses a literal, and
// an expression that computes with the secret: evaluated on placeholders, a
// comparison or upper() would give a wrong value without a word. ok is false
// after an error and for null.
func (d *decoder) reference(path string, v *Value) (val cty.Value, ok bool) {
	// Plain evaluation first: it has the better words for what is wrong.
	if _, diags := d.shadow.value(v); diags.HasErrors() {
		d.diags = append(d.diags, diags...)
		return cty.NilVal, false
	}
	if v.expr != nil {
		if bad := d.computed(v.expr, v.in); bad != nil {
			d.diags = append(d.diags, hiding(errorAt(bad.Range(), "A secret must stay as it is", fmt.Sprintf(
				"%s: stephost keeps where a secret comes from, not its value, so nothing can be computed with it. "+
					"Write %s alone or inside a text such as \"Bearer ${env(\"NAME\")}\", and let the step do the rest.", path, ways))))
			return cty.NilVal, false
		}
	}
	val, diags := d.references.value(v)
	d.diags = append(d.diags, diags...)
	if diags.HasErrors() {
		return cty.NilVal, false
	}
	val, _ = val.UnmarkDeep()
	if val.IsNull() {
		return cty.NilVal, false
	}
	if !val.IsWhollyKnown() {
		d.postpone(path)
		return cty.NilVal, false
	}
	if !hasReference(val) {
		d.diags = append(d.diags, hiding(errorAt(v.NameRange, "A secret may not be written out", fmt.Sprintf(
			"%s: a value written here ends in files, backups and repositories. Write %s instead.", path, ways))))
		return cty.NilVal, false
	}
	return val, true
}

// hiding keeps the source line, which may hold a secret, out of the snippet.
func hiding(d *hcl.Diagnostic) *hcl.Diagnostic {
	d.Extra = diag.Secret{}
	return d
}

// hasReference tells whether any text in val holds a reference.
func hasReference(val cty.Value) bool {
	found := false
	// The callback never fails.
	_ = cty.Walk(val, func(_ cty.Path, v cty.Value) (bool, error) {
		if v.Type() == cty.String && v.IsKnown() && !v.IsNull() && schema.HasReference(v.AsString()) {
			found = true
		}
		return !found, nil
	})
	return found
}

// template is the text form of a value with references: a text as it is, any
// other type as JSON text with the references in its strings.
func template(val cty.Value) (string, error) {
	if val.Type() == cty.String {
		return val.AsString(), nil
	}
	b, err := schema.JSON(val)
	return string(b), err
}

// computed finds the part of an expression that works on what env(), file() or
// secret() give, or nil. Literals, text templates, lists, maps, parentheses,
// references to locals and variables, and the calls themselves leave a
// placeholder whole.
func (d *decoder) computed(expr hcl.Expression, in unit) hclsyntax.Expression {
	switch x := diag.Native(expr).(type) {
	case nil:
		// JSON arrays and objects, whose strings are looked at one by one.
		if pairs, diags := hcl.ExprMap(expr); !diags.HasErrors() {
			for _, p := range pairs {
				if bad := d.computed(p.Value, in); bad != nil {
					return bad
				}
			}
		} else if list, diags := hcl.ExprList(expr); !diags.HasErrors() {
			return d.firstComputed(in, list...)
		}
		return nil
	case *hclsyntax.LiteralValueExpr:
		return nil
	case *hclsyntax.TemplateExpr:
		return d.firstComputed(in, asExpressions(x.Parts)...)
	case *hclsyntax.TemplateWrapExpr:
		return d.computed(x.Wrapped, in)
	case *hclsyntax.ParenthesesExpr:
		return d.computed(x.Expression, in)
	case *hclsyntax.TupleConsExpr:
		return d.firstComputed(in, asExpressions(x.Exprs)...)
	case *hclsyntax.ObjectConsExpr:
		for _, item := range x.Items {
			if bad := d.firstComputed(in, item.KeyExpr, item.ValueExpr); bad != nil {
				return bad
			}
		}
		return nil
	case *hclsyntax.ObjectConsKeyExpr:
		return d.unlessKnown(x, in)
	case *hclsyntax.ScopeTraversalExpr:
		return d.computedName(x, in)
	case *hclsyntax.IndexExpr:
		if bad := d.unlessKnown(x.Key, in); bad != nil {
			return bad
		}
		return d.computed(x.Collection, in)
	case *hclsyntax.RelativeTraversalExpr:
		return d.computed(x.Source, in)
	case *hclsyntax.ConditionalExpr:
		if bad := d.unlessKnown(x.Condition, in); bad != nil {
			return bad
		}
		return d.firstComputed(in, x.TrueResult, x.FalseResult)
	case *hclsyntax.FunctionCallExpr:
		switch x.Name {
		case "env", "file", "secret":
			for _, arg := range x.Args {
				if bad := d.unlessKnown(arg, in); bad != nil {
					return bad
				}
			}
			return nil
		}
		return d.unlessKnown(x, in)
	case hclsyntax.Expression:
		return d.unlessKnown(x, in)
	}
	return nil
}

func (d *decoder) firstComputed(in unit, exprs ...hcl.Expression) hclsyntax.Expression {
	for _, e := range exprs {
		if bad := d.computed(e, in); bad != nil {
			return bad
		}
	}
	return nil
}

// unlessKnown accepts an expression that has nothing to do with a reference.
func (d *decoder) unlessKnown(x hclsyntax.Expression, in unit) hclsyntax.Expression {
	val, diags := d.shadow.expression(x, in)
	if !diags.HasErrors() && val.IsWhollyKnown() && !val.ContainsMarked() {
		return nil
	}
	return x
}

// computedName follows var.x and local.x to what they stand for.
func (d *decoder) computedName(x *hclsyntax.ScopeTraversalExpr, in unit) hclsyntax.Expression {
	name, _, ok := secondStep(x.Traversal)
	if !ok || in.names == nil {
		return d.unlessKnown(x, in)
	}
	v := in.names.locals[name]
	if x.Traversal.RootName() == "var" {
		v = nil
		if variable := in.names.variables[name]; variable != nil {
			v = variable.chosen
		}
	}
	if v == nil || v.expr == nil {
		return nil
	}
	// Remembered: a chain of locals that use the one before twice would
	// otherwise be followed 2^n times. (Cycles were taken out by Load.)
	key := nameKey{in.names, x.Traversal.RootName(), name}
	bad, seen := d.computedNames[key]
	if !seen {
		bad = d.computed(v.expr, v.in) != nil
		if d.computedNames == nil {
			d.computedNames = map[nameKey]bool{}
		}
		d.computedNames[key] = bad
	}
	if bad {
		return x
	}
	return nil
}

func asExpressions(in []hclsyntax.Expression) []hcl.Expression {
	out := make([]hcl.Expression, len(in))
	for i, e := range in {
		out[i] = e
	}
	return out
}
