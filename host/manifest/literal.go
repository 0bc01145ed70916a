package manifest

import (
	"math/big"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/diag"
)

// literal is the value of an expression that depends on nothing. A template is
// an error with the way to write the characters.
func (p *parser) literal(a *hcl.Attribute) (cty.Value, bool) {
	if a == nil {
		return cty.NilVal, false
	}
	if r, ok := interpolation(a.Expr); ok {
		p.fail(r, "A manifest's texts are literal", "%q must not depend on anything, so ${ ... } is not filled in here. To write the characters as they are, double the sign: $${ (and %%%%{ for %%{).", a.Name)
		return cty.NilVal, false
	}
	v, diags := diag.Evaluate(a.Expr, nil)
	if diags.HasErrors() {
		for _, d := range diags {
			d.Expression, d.EvalContext = nil, nil
		}
		p.diags = append(p.diags, diags...)
		return cty.NilVal, false
	}
	return v, true
}

// interpolation finds a template that is not plain text.
func interpolation(expr hcl.Expression) (hcl.Range, bool) {
	switch e := expr.(type) {
	case *hclsyntax.TemplateExpr:
		for _, part := range e.Parts {
			if _, ok := part.(*hclsyntax.LiteralValueExpr); !ok {
				return part.Range(), true
			}
		}
	case *hclsyntax.TemplateWrapExpr:
		return e.Range(), true
	case *hclsyntax.TupleConsExpr:
		for _, x := range e.Exprs {
			if r, ok := interpolation(x); ok {
				return r, true
			}
		}
	case *hclsyntax.ObjectConsExpr:
		for _, item := range e.Items {
			if r, ok := interpolation(item.ValueExpr); ok {
				return r, true
			}
		}
	}
	return hcl.Range{}, false
}

// text is a literal string; "" when the attribute is absent or wrong.
func (p *parser) text(a *hcl.Attribute) string {
	v, ok := p.literal(a)
	if !ok {
		return ""
	}
	if v.Type() != cty.String || v.IsNull() {
		p.fail(a.Expr.Range(), "A string is needed", "Write %s = \"...\".", a.Name)
		return ""
	}
	return v.AsString()
}

// texts is a literal list of strings.
func (p *parser) texts(a *hcl.Attribute) []string {
	var out []string
	p.elements(a, "strings", func(v cty.Value) bool {
		if v.Type() != cty.String || v.IsNull() {
			return false
		}
		out = append(out, v.AsString())
		return true
	})
	return out
}

// ints is a literal list of small whole numbers above 0.
func (p *parser) ints(a *hcl.Attribute) []int {
	const most = 1000
	var out []int
	p.elements(a, "whole numbers from 1 to 1000", func(v cty.Value) bool {
		if v.Type() != cty.Number || v.IsNull() {
			return false
		}
		n, accuracy := v.AsBigFloat().Int64()
		if accuracy != big.Exact || n < 1 || n > most {
			return false
		}
		out = append(out, int(n))
		return true
	})
	return out
}

func (p *parser) elements(a *hcl.Attribute, what string, take func(cty.Value) bool) {
	v, ok := p.literal(a)
	if !ok {
		return
	}
	if v.IsNull() || !v.Type().IsTupleType() {
		p.fail(a.Expr.Range(), "A list is needed", "%q is a list of %s: write it in brackets.", a.Name, what)
		return
	}
	i := 0
	for it := v.ElementIterator(); it.Next(); i++ {
		if _, e := it.Element(); !take(e) {
			p.fail(elementRange(a, i), "Wrong element", "%q is a list of %s.", a.Name, what)
		}
	}
}

func (p *parser) boolean(a *hcl.Attribute) bool {
	v, ok := p.literal(a)
	if !ok {
		return false
	}
	if v.Type() != cty.Bool || v.IsNull() {
		p.fail(a.Expr.Range(), "true or false is needed", "Write %s = true.", a.Name)
		return false
	}
	return v.True()
}

// duration is a literal like "90s" or "168h", from 0 to most.
func (p *parser) duration(a *hcl.Attribute, most time.Duration) time.Duration {
	s := p.text(a)
	if s == "" {
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > most {
		p.fail(a.Expr.Range(), "Wrong duration", "%q is a duration up to %s, for example \"90s\", \"15m\" or \"168h\".", a.Name, most)
		return 0
	}
	return d
}
