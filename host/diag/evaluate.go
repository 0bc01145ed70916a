package diag

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Evaluate gives the value of expr, as its own Value does, but ends when that takes more
// than MaxWork: a text of a hundred bytes can ask for a billion elements (loops inside of
// loops) or gigabytes of text (what was put together, put together again), and whoever
// only lists flavors reads the manifests of strangers. One call of a function can still
// make much of little; package schema bounds those that do.
//
// expr stays as it is, so that several may evaluate it at once.
func Evaluate(expr hcl.Expression, ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	native := nativeTree(expr)
	if native == nil {
		return expr.Value(ctx)
	}
	b := &budget{left: MaxWork, at: expr.Range()}
	bounded := b.bound(native)
	if !b.needed {
		return expr.Value(ctx)
	}
	v, diags := bounded.Value(ctx)
	if b.left < 0 {
		return cty.DynamicVal, hcl.Diagnostics{b.exceeded()} // try() and can() may have swallowed it
	}
	return v, diags
}

// Weight is the size of a value, as MaxWork counts it. It stops counting above most, so
// that the cost is bounded too.
func Weight(v cty.Value, most int) int {
	v, _ = v.Unmark()
	n := elementWork
	if v.IsNull() || !v.IsKnown() {
		return n
	}
	if v.Type() == cty.String {
		return n + len(v.AsString())
	}
	if !v.CanIterateElements() {
		return n
	}
	for it := v.ElementIterator(); it.Next() && n <= most; {
		_, el := it.Element()
		n += Weight(el, most-n)
	}
	return n
}

// Native is the native form of an expression; nil for a JSON array or object. A JSON
// string is a template.
func Native(expr hcl.Expression) hclsyntax.Expression {
	if x, ok := expr.(hclsyntax.Expression); ok {
		return x
	}
	val, diags := expr.Value(nil) // without a context JSON gives the text verbatim
	if diags.HasErrors() || val.IsNull() || !val.IsKnown() || !val.Type().IsPrimitiveType() {
		if val.IsNull() && !diags.HasErrors() {
			return &hclsyntax.LiteralValueExpr{Val: val, SrcRange: expr.Range()}
		}
		return nil
	}
	if val.Type() != cty.String {
		return &hclsyntax.LiteralValueExpr{Val: val, SrcRange: expr.Range()}
	}
	r, text := expr.Range(), val.AsString()
	if !strings.Contains(text, "${") && !strings.Contains(text, "%{") {
		return &hclsyntax.LiteralValueExpr{Val: val, SrcRange: r}
	}
	x, diags := hclsyntax.ParseTemplate([]byte(text), r.Filename, r.Start)
	if diags.HasErrors() {
		return &hclsyntax.LiteralValueExpr{Val: cty.DynamicVal, SrcRange: r}
	}
	return x
}

// nativeTree is Native with the arrays and objects of JSON, which hold templates too.
func nativeTree(expr hcl.Expression) hclsyntax.Expression {
	if x := Native(expr); x != nil {
		return x
	}
	if list, diags := hcl.ExprList(expr); !diags.HasErrors() {
		out := &hclsyntax.TupleConsExpr{SrcRange: expr.Range(), OpenRange: expr.Range()}
		for _, e := range list {
			x := nativeTree(e)
			if x == nil {
				return nil
			}
			out.Exprs = append(out.Exprs, x)
		}
		return out
	}
	pairs, diags := hcl.ExprMap(expr)
	if diags.HasErrors() {
		return nil
	}
	out := &hclsyntax.ObjectConsExpr{SrcRange: expr.Range(), OpenRange: expr.Range()}
	for _, p := range pairs {
		key, value := nativeTree(p.Key), nativeTree(p.Value)
		if key == nil || value == nil {
			return nil
		}
		out.Items = append(out.Items, hclsyntax.ObjectConsItem{KeyExpr: key, ValueExpr: value})
	}
	return out
}

// budget is what one evaluation may still do.
type budget struct {
	left   int
	at     hcl.Range
	needed bool // something in the expression can grow
	told   bool
}

// spend takes n off and tells whether there was so much.
func (b *budget) spend(n int) bool {
	if b.left >= 0 {
		b.left -= n
	}
	return b.left >= 0
}

// fail ends an evaluation: once with a diagnostic, because a loop goes on and would
// collect one for each of its rounds.
func (b *budget) fail() (cty.Value, hcl.Diagnostics) {
	if b.told {
		return cty.DynamicVal, nil
	}
	b.told = true
	return cty.DynamicVal, hcl.Diagnostics{b.exceeded()}
}

func (b *budget) exceeded() *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Subject: &b.at, Summary: "Too much to compute",
		Detail: fmt.Sprintf("The expression looks at, or makes, more than %d elements or %d MiB of text. Compute the value elsewhere and write the result.",
			MaxWork/elementWork, MaxWork>>20)}
}

// bound is a copy of x that pays for what it does; x itself where it cannot grow.
func (b *budget) bound(x hclsyntax.Expression) hclsyntax.Expression {
	switch x := x.(type) {
	case *hclsyntax.ForExpr:
		b.needed = true
		c := *x
		c.KeyExpr, c.ValExpr, c.CondExpr = b.boundOr(x.KeyExpr), b.bound(x.ValExpr), b.boundOr(x.CondExpr)
		c.CollExpr = &loop{b.bound(x.CollExpr), b, nodes(x.KeyExpr) + nodes(x.ValExpr) + nodes(x.CondExpr)}
		return &c
	case *hclsyntax.FunctionCallExpr:
		b.needed = true
		c := *x
		c.Args = b.each(x.Args, true)
		return &c
	case *hclsyntax.TemplateExpr:
		if !b.grows(x.Parts) {
			return x
		}
		c := *x
		c.Parts = b.each(x.Parts, true)
		return &c
	case *hclsyntax.TemplateJoinExpr:
		return &hclsyntax.TemplateJoinExpr{Tuple: &paid{b.bound(x.Tuple), b}}
	case *hclsyntax.SplatExpr:
		b.needed = true
		c := *x
		c.Source = &paid{b.bound(x.Source), b}
		return &paid{&c, b}
	case *hclsyntax.TemplateWrapExpr:
		c := *x
		c.Wrapped = b.bound(x.Wrapped)
		return &c
	case *hclsyntax.TupleConsExpr:
		c := *x
		c.Exprs = b.each(x.Exprs, false)
		return &c
	case *hclsyntax.ObjectConsExpr:
		c := *x
		c.Items = make([]hclsyntax.ObjectConsItem, len(x.Items))
		for i, item := range x.Items {
			c.Items[i] = hclsyntax.ObjectConsItem{KeyExpr: b.bound(item.KeyExpr), ValueExpr: b.bound(item.ValueExpr)}
		}
		return &c
	case *hclsyntax.ObjectConsKeyExpr:
		c := *x
		c.Wrapped = b.bound(x.Wrapped)
		return &c
	case *hclsyntax.ParenthesesExpr:
		c := *x
		c.Expression = b.bound(x.Expression)
		return &c
	case *hclsyntax.ConditionalExpr:
		c := *x
		c.Condition, c.TrueResult, c.FalseResult = b.bound(x.Condition), b.bound(x.TrueResult), b.bound(x.FalseResult)
		return &c
	case *hclsyntax.BinaryOpExpr:
		c := *x
		c.LHS, c.RHS = b.bound(x.LHS), b.bound(x.RHS)
		return &c
	case *hclsyntax.UnaryOpExpr:
		c := *x
		c.Val = b.bound(x.Val)
		return &c
	case *hclsyntax.IndexExpr:
		c := *x
		c.Collection, c.Key = b.bound(x.Collection), b.bound(x.Key)
		return &c
	case *hclsyntax.RelativeTraversalExpr:
		c := *x
		c.Source = b.bound(x.Source)
		return &c
	}
	return x // literals, names
}

func (b *budget) boundOr(x hclsyntax.Expression) hclsyntax.Expression {
	if x == nil {
		return nil
	}
	return b.bound(x)
}

func (b *budget) each(list []hclsyntax.Expression, pay bool) []hclsyntax.Expression {
	out := make([]hclsyntax.Expression, len(list))
	for i, x := range list {
		if out[i] = b.bound(x); pay {
			out[i] = &paid{out[i], b}
		}
	}
	return out
}

// grows tells whether a template fills anything in: a text without is as long as its
// source.
func (b *budget) grows(parts []hclsyntax.Expression) bool {
	for _, p := range parts {
		if _, literal := p.(*hclsyntax.LiteralValueExpr); !literal {
			b.needed = true
			return true
		}
	}
	return false
}

// nodes counts the parts of an expression: what one round of a loop costs at least.
func nodes(x hclsyntax.Expression) int {
	if x == nil {
		return 0
	}
	n := 0
	_ = hclsyntax.VisitAll(x, func(hclsyntax.Node) hcl.Diagnostics {
		n++
		return nil
	})
	return n
}

// paid is an expression whose value is paid for by weight.
type paid struct {
	hclsyntax.Expression
	b *budget
}

func (p *paid) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	if p.b.left < 0 {
		return p.b.fail()
	}
	v, diags := p.Expression.Value(ctx)
	if !p.b.spend(Weight(v, p.b.left)) {
		return p.b.fail()
	}
	return v, diags
}

// loop is the collection of a for expression, which is paid for by its rounds.
type loop struct {
	hclsyntax.Expression
	b     *budget
	round int
}

func (l *loop) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	if l.b.left < 0 {
		return l.b.fail()
	}
	v, diags := l.Expression.Value(ctx)
	if !l.b.spend(length(v) * l.round * elementWork) {
		return l.b.fail()
	}
	return v, diags
}

// length is the number of elements of a collection that is known, else 0.
func length(v cty.Value) int {
	v, _ = v.Unmark()
	if v.IsNull() || !v.IsKnown() || !v.CanIterateElements() {
		return 0
	}
	return v.LengthInt()
}
