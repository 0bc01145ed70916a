package schema

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// limits checks one_of, min and max on a converted, unmarked value; of a list or
// set, its elements. The texts hold the value unless the attribute is sensitive.
func (a *Attribute) limits(v cty.Value) []string {
	if len(a.OneOf) == 0 && a.Min == cty.NilVal && a.Max == cty.NilVal || !v.IsKnown() || v.IsNull() {
		return nil
	}
	if !v.Type().IsPrimitiveType() {
		var out []string
		if v.CanIterateElements() && (v.Type().IsListType() || v.Type().IsSetType()) {
			for it := v.ElementIterator(); it.Next() && len(out) < maxProblems; {
				_, e := it.Element()
				out = append(out, a.limits(e)...)
			}
		}
		return out
	}
	got := ", not " + bounded(Literal(v))
	if a.Sensitive {
		got = ""
	}
	var out []string
	if len(a.OneOf) > 0 && !contains(a.OneOf, v) {
		words := make([]string, len(a.OneOf))
		for i, o := range a.OneOf {
			words[i] = Literal(o)
		}
		out = append(out, fmt.Sprintf("It must be one of %s%s.", strings.Join(words, ", "), got))
	}
	if v.Type() != cty.Number {
		return out
	}
	if a.Min != cty.NilVal && v.LessThan(a.Min).True() {
		out = append(out, fmt.Sprintf("It must be at least %s%s.", Literal(a.Min), got))
	}
	if a.Max != cty.NilVal && v.GreaterThan(a.Max).True() {
		out = append(out, fmt.Sprintf("It must be at most %s%s.", Literal(a.Max), got))
	}
	return out
}

func contains(all []cty.Value, v cty.Value) bool {
	for _, o := range all {
		if eq := o.Equals(v); eq.IsKnown() && eq.True() {
			return true
		}
	}
	return false
}

// Check tells what is wrong with v as the attribute's value: type, nested
// names, limits. It is the manifest's check of its own defaults; v is unmarked
// and known. The converted value is of use when there is no text.
func (a *Attribute) Check(v cty.Value) (cty.Value, []string) {
	out, wrong := a.convert(v)
	var texts []string
	for _, m := range wrong {
		if len(m.path) > 0 {
			m.text = pathString(a.Name, m.path) + ": " + m.text
		}
		texts = append(texts, m.text)
	}
	if len(texts) > 0 {
		return null(a.Type), texts
	}
	return out, a.limits(out)
}
