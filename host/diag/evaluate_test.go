package diag_test

import (
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"github.com/stephost/stephost/host/diag"
)

func around() *hcl.EvalContext {
	return &hcl.EvalContext{
		Variables: map[string]cty.Value{
			"text": cty.StringVal(strings.Repeat("x", 100<<10)),
			"list": cty.ListVal([]cty.Value{cty.StringVal("a"), cty.StringVal("b")}),
			"mark": cty.StringVal("s").Mark("secret"),
		},
		Functions: map[string]function.Function{
			"range": stdlib.RangeFunc, "length": stdlib.LengthFunc, "upper": stdlib.UpperFunc,
			"can": tryfunc.CanFunc, "try": tryfunc.TryFunc,
		},
	}
}

// What an expression gives is what HCL itself gives.
func TestEvaluate(t *testing.T) {
	for _, src := range []string{
		`1 + 2 * 3`, `"a"`, `"a${1}b"`, `"${list}"`, `[for x in list: upper(x)]`, `{for i, x in list: x => i if i > 0}`,
		`{for x in list: length(x) => x...}`, `list[*]`, `list[0]`, `[[1, 2], [3]][*][0]`, `{a = 1, (upper("b")) = 2}`, `(true ? list : [])`,
		`try(nothing.there, "else")`, `can(list[7])`, `"%{for x in list}${x},%{endfor}"`, `"${mark}!"`, `-1`, `!true`, `upper(list...)`,
		`nothing`, `upper()`, `list["x"]`, `[for x in 1: x]`, `"a${nothing}"`,
	} {
		t.Run(src, func(t *testing.T) {
			expr, diags := new(diag.Sources).ParseExpression("e", []byte(src))
			require.False(t, diags.HasErrors(), diags)
			want, wantDiags := expr.Value(around())
			for range 2 { // the expression itself is left as it is
				got, gotDiags := diag.Evaluate(expr, around())
				assert.True(t, want.RawEquals(got), "%#v\n%#v", want, got)
				assert.Equal(t, wantDiags.Error(), gotDiags.Error())
			}
		})
	}
}

// A short text that asks for more than the memory is refused, in a moment.
func TestEvaluateEnds(t *testing.T) {
	loops := `[for a in range(1024): [for b in range(1024): [for c in range(1024): c]]]`
	for name, src := range map[string]string{
		"loops":             loops,
		"in a function":     `length(` + loops + `)`,
		"swallowed":         `can(` + loops + `) ? 1 : 2`,
		"in a condition":    `[for a in range(1024): a if length([for b in range(1024): [for c in range(1024): c]]) > 0]`,
		"a list of lists":   `[for a in range(1024): [for b in range(1024): text]][*][0]`,
		"text":              `"` + strings.Repeat("${text}", 1000) + `"`,
		"text in a loop":    `[for a in range(1024): "${text}${a}"]`,
		"a template's loop": `"%{for a in range(1024)}${text}%{endfor}"`,
		"calls in a loop":   `[for a in range(1024): upper(text)]`,
	} {
		t.Run(name, func(t *testing.T) {
			expr, diags := new(diag.Sources).ParseExpression("e", []byte(src))
			require.False(t, diags.HasErrors(), diags)
			v, diags := diag.Evaluate(expr, around())
			require.True(t, diags.HasErrors())
			assert.Equal(t, "Too much to compute", diags[0].Summary)
			assert.Len(t, diags, 1)
			assert.False(t, v.IsKnown())
		})
	}
}

// JSON's strings are templates, at any depth.
func TestEvaluateEndsInJSON(t *testing.T) {
	for name, src := range map[string]string{
		"string":  `{"a": "${[for a in range(1024): [for b in range(1024): [for c in range(1024): c]]]}"}`,
		"nested":  `{"a": {"b": ["x", "${[for a in range(1024): [for b in range(1024): [for c in range(1024): c]]]}"]}}`,
		"nothing": `{"a": ["${length(list)}", 1, true, null, {"${upper(\"k\")}": "$${x}"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			file, diags := new(diag.Sources).Parse("e.json", []byte(src))
			require.False(t, diags.HasErrors(), diags)
			attrs, diags := file.Body.JustAttributes()
			require.False(t, diags.HasErrors(), diags)
			v, diags := diag.Evaluate(attrs["a"].Expr, around())
			if name == "nothing" {
				want, wantDiags := attrs["a"].Expr.Value(around())
				require.False(t, wantDiags.HasErrors(), wantDiags)
				require.False(t, diags.HasErrors(), diags)
				assert.True(t, want.RawEquals(v), "%#v\n%#v", want, v)
				return
			}
			require.True(t, diags.HasErrors())
			assert.Equal(t, "Too much to compute", diags[0].Summary)
		})
	}
}

func TestWeight(t *testing.T) {
	text := cty.StringVal("12345")
	assert.Less(t, diag.Weight(text, 1<<20), diag.Weight(cty.TupleVal([]cty.Value{text, text}), 1<<20))
	many := make([]cty.Value, 1000)
	for i := range many {
		many[i] = text
	}
	assert.Less(t, diag.Weight(cty.ListVal(many), 100), 200, "it stops where it is enough")
}

// HCL's parser takes time by the square of the texts that follow each other.
func TestManyTexts(t *testing.T) {
	for name, src := range map[string]string{
		"heredoc": "a = <<E\n" + strings.Repeat("\n", 100_000) + "E\n",
		"signs":   `a = "` + strings.Repeat("$a", 100_000) + "\"\n",
		"percent": `a = "` + strings.Repeat("%a", 100_000) + "\"\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, diags := new(diag.Sources).Parse("e.hcl", []byte(src))
			require.True(t, diags.HasErrors())
			assert.Equal(t, "Text too long", diags[0].Summary)
		})
	}
	_, diags := new(diag.Sources).Parse("e.hcl", []byte("a = <<E\n"+strings.Repeat("line\n", 4000)+"E\n"+strings.Repeat("# comment\n", 4000)))
	assert.False(t, diags.HasErrors(), diags)
}
