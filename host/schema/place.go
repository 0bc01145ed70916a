package schema

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/diag"
)

// fault is a diagnostic about a given value. For a sensitive attribute it
// points at the name and hides the source around it.
func fault(a *Attribute, g *Given, summary, detail string) *hcl.Diagnostic {
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail}
	r := g.ValueRange
	if a.Sensitive {
		r = g.NameRange
		d.Extra = diag.Secret{}
	}
	if r.Filename == "" {
		r = g.NameRange
	}
	if r.Filename != "" {
		d.Subject = &r
	}
	return d
}

// within is fault for a place inside the value.
func within(a *Attribute, g *Given, m mismatch) *hcl.Diagnostic {
	d := fault(a, g, "Wrong value for \""+pathString(a.Name, m.path)+"\"", m.text)
	if a.Sensitive || g.Expr == nil {
		return d
	}
	if r, ok := descend(g.Expr, m.path, m.onKey); ok {
		d.Subject = &r
	}
	return d
}

// descend finds the range of a nested value in an expression that is written
// out, as far as it is.
func descend(expr hcl.Expression, path cty.Path, onKey bool) (hcl.Range, bool) {
	for i, step := range path {
		switch s := step.(type) {
		case cty.GetAttrStep:
			pairs, diags := hcl.ExprMap(expr)
			if diags.HasErrors() {
				return expr.Range(), true
			}
			found := false
			for _, p := range pairs {
				key, diags := diag.Evaluate(p.Key, nil)
				if diags.HasErrors() || key.IsMarked() || !key.IsKnown() || key.IsNull() || key.Type() != cty.String || key.AsString() != s.Name {
					continue
				}
				if onKey && i == len(path)-1 {
					return p.Key.Range(), true
				}
				expr, found = p.Value, true
			}
			if !found {
				return expr.Range(), true
			}
		case cty.IndexStep:
			items, diags := hcl.ExprList(expr)
			n, _ := s.Key.AsBigFloat().Int64()
			if diags.HasErrors() || n < 0 || n >= int64(len(items)) {
				return expr.Range(), true
			}
			expr = items[n]
		}
	}
	r := expr.Range()
	return r, r.Filename != ""
}
