package schema

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/diag"
)

// ParseValue reads the text of a flag by the attribute's type: a string as it
// is, numbers and bools by their words, everything else as an HCL or JSON
// expression without variables and functions. "any" is an expression when it
// reads as one, else a string. flag ("--role") is the name under which src
// shows the text (of a sensitive attribute only "(sensitive)"). The caller has
// dealt with "@file", "env:NAME" and "-" before. The value is of the
// attribute's type; it is cty.NilVal when there are errors.
func ParseValue(a *Attribute, text string, src *diag.Sources, flag string) (cty.Value, hcl.Diagnostics) {
	shown := text
	if a.Sensitive || len(text) > diag.MaxSource {
		shown = hidden
	}
	src.Add(flag, []byte(shown))
	whole := TextRange(flag, shown)
	g := Given{Name: a.Name, NameRange: whole, ValueRange: whole}
	fail := func(format string, args ...any) (cty.Value, hcl.Diagnostics) {
		return cty.NilVal, hcl.Diagnostics{fault(a, &g, "Wrong value for "+flag, fmt.Sprintf(format, args...))}
	}
	if len(text) > MaxValue {
		return fail("The value is larger than %d bytes.", MaxValue)
	}
	trimmed := strings.TrimSpace(text)
	var v cty.Value
	switch a.Type {
	case cty.String:
		v = cty.StringVal(text)
	case cty.Number:
		n, err := cty.ParseNumberVal(trimmed)
		if err != nil || !diag.NumberFits(trimmed) {
			return fail("A number is needed, for example %s=2.", flag)
		}
		v = n
	case cty.Bool:
		b, err := strconv.ParseBool(trimmed)
		if err != nil {
			return fail("true or false is needed.")
		}
		v = cty.BoolVal(b)
	default:
		var diags hcl.Diagnostics
		v, g.Expr, diags = parseText(a, text, src, flag)
		if diags.HasErrors() {
			return cty.NilVal, diags
		}
	}
	out, wrong := a.convert(v)
	var diags hcl.Diagnostics
	for _, m := range wrong {
		diags = append(diags, within(a, &g, m))
	}
	if diags.HasErrors() {
		return cty.NilVal, diags
	}
	return out, nil
}

// parseText reads a list, map, object or "any".
func parseText(a *Attribute, text string, src *diag.Sources, flag string) (cty.Value, hcl.Expression, hcl.Diagnostics) {
	trimmed := strings.TrimSpace(text)
	if a.Type == cty.DynamicPseudoType && !strings.HasPrefix(trimmed, "[") && !strings.HasPrefix(trimmed, "{") {
		switch n, err := cty.ParseNumberVal(trimmed); {
		case err == nil && diag.NumberFits(trimmed):
			return n, nil, nil
		case trimmed == "true" || trimmed == "false":
			return cty.BoolVal(trimmed == "true"), nil, nil
		}
		return cty.StringVal(text), nil, nil
	}
	// A sensitive text is parsed with nothing remembered and nothing quoted.
	store := src
	if a.Sensitive {
		store = nil
	}
	expr, diags := store.ParseExpression(flag, []byte(text))
	var v cty.Value
	if !diags.HasErrors() {
		var more hcl.Diagnostics
		v, more = diag.Evaluate(expr, nil)
		diags = store.Explain(append(diags, more...))
	}
	if !diags.HasErrors() {
		return v, expr, nil
	}
	hint := fmt.Sprintf("%s is needed, written in HCL or JSON: %s.", needed(a.Type), example(a.Type, flag))
	if a.Sensitive {
		r := TextRange(flag, hidden)
		return cty.NilVal, nil, hcl.Diagnostics{{Severity: hcl.DiagError, Subject: &r, Extra: diag.Secret{},
			Summary: "Wrong value for " + flag, Detail: hint}}
	}
	for _, d := range diags {
		d.Expression, d.EvalContext = nil, nil
		d.Detail = strings.TrimSpace(d.Detail + "\n" + hint)
	}
	return cty.NilVal, nil, diags[:1]
}

// example shows how a flag of the type is written in a shell.
func example(ty cty.Type, flag string) string {
	switch {
	case ty.IsListType(), ty.IsSetType(), ty.IsTupleType():
		inner := `"a", "b"`
		if ty.IsListType() || ty.IsSetType() {
			switch e := ty.ElementType(); {
			case e == cty.Number:
				inner = "1, 2"
			case e.IsObjectType() || e.IsMapType():
				inner = "{ name = \"value\" }"
			}
		}
		return flag + "='[" + inner + "]'"
	case ty.IsMapType(), ty.IsObjectType():
		return flag + "='{ name = \"value\" }'"
	}
	return flag + "=..."
}

// TextRange is the range of a whole text that was given under a flag's name.
func TextRange(flag, text string) hcl.Range {
	end := hcl.InitialPos
	end.Byte, end.Line = len(text), 1+strings.Count(text, "\n")
	end.Column = 1 + len([]rune(text[strings.LastIndexByte(text, '\n')+1:]))
	return hcl.Range{Filename: flag, Start: hcl.InitialPos, End: end}
}
