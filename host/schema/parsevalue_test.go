package schema_test

import (
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/schema"
)

func attribute(t testing.TB, ty string) *schema.Attribute {
	t.Helper()
	expr, diags := hclsyntax.ParseExpression([]byte(ty), "", hcl.InitialPos)
	require.False(t, diags.HasErrors(), diags.Error())
	c, defaults, diags := typeexpr.TypeConstraintWithDefaults(expr)
	require.False(t, diags.HasErrors(), diags.Error())
	return &schema.Attribute{Name: "x", Type: c, TypeDefaults: defaults}
}

func TestParseValue(t *testing.T) {
	const object = `list(object({ key = string, op = optional(string, "Exists") }))`
	for _, tc := range []struct{ ty, text, want, problem string }{
		{"string", "a ${b} \\d %{c}", `"a $${b} \\d %%{c}"`, ""},
		{"string", "", `""`, ""},
		{"string", "null", `"null"`, ""},
		{"number", " 9007199254740993", "9007199254740993", ""},
		{"number", "many", "", "A number is needed"},
		{"number", "1e999999999", "", "A number is needed"},
		{"bool", "true", "true", ""},
		{"bool", "yes", "", "true or false"},
		{"list(string)", `["a", "b"]`, `["a", "b"]`, ""},
		{"list(string)", `a`, "", `--x='["a", "b"]'`},
		{"list(string)", `a,b`, "", `--x='["a", "b"]'`},
		{"list(number)", `[1, "2"]`, `[1, 2]`, ""},
		{"list(number)", `["x"]`, "", "A number is needed"},
		{"set(string)", `["b", "a", "b"]`, `["a", "b"]`, ""},
		{"map(string)", `{"cloud.google.com/gke-accelerator"="nvidia-l4"}`, `{ "cloud.google.com/gke-accelerator" = "nvidia-l4" }`, ""},
		{"map(string)", `{"a/b": "c"}`, `{ "a/b" = "c" }`, ""},
		{"map(string)", `[1]`, "", "A map of strings is needed"},
		{object, `[{"key":"a"}]`, `[{ key = "a", op = "Exists" }]`, ""},
		{object, `[{ key = "a", opp = "b" }]`, "", `Did you mean "op"?`},
		{object, `[{}]`, "", `"key" is missing`},
		{object, `[{ key = env("A") }]`, "", "in HCL or JSON"},
		{object, strings.Repeat("[", 10_000), "", "nest 100 deep"},
		{"any", "3", "3", ""},
		{"any", "true", "true", ""},
		{"any", "a b", `"a b"`, ""},
		{"any", `{ a = [1] }`, `{ a = [1] }`, ""},
		{"tuple([string, number])", `["a", 1]`, `["a", 1]`, ""},
		{"tuple([string, number])", `["a"]`, "", "Exactly 2"},
		{"string", strings.Repeat("x", 10<<20), "", "larger than"},
	} {
		t.Run(tc.ty+" "+tc.text[:min(20, len(tc.text))], func(t *testing.T) {
			var src diag.Sources
			v, diags := schema.ParseValue(attribute(t, tc.ty), tc.text, &src, "--x")
			if tc.problem == "" {
				require.Empty(t, diags)
				assert.Equal(t, tc.want, schema.Literal(v))
				return
			}
			out := rendered(t, &src, diags)
			assert.Contains(t, strings.Join(strings.Fields(out), " "), tc.problem)
			assert.Contains(t, out, "the command line, --x")
			assert.Less(t, len(out), 4<<10)
		})
	}
}

func TestParseValueShowsNoSecret(t *testing.T) {
	for ty, text := range map[string]string{
		"number": "hunter2", "map(string)": "hunter2", "list(string)": `["hunter2", {}]`, "bool": "hunter2", "list(number)": `[hunter2`,
		"object({ a = string })": `{ a = "hunter2", hunter3 = 1 }`,
	} {
		var src diag.Sources
		a := attribute(t, ty)
		a.Sensitive = true
		_, diags := schema.ParseValue(a, text, &src, "--x")
		require.True(t, diags.HasErrors(), ty)
		out := rendered(t, &src, diags)
		assert.NotContains(t, out, "hunter2", ty)
	}
}

func TestTypeString(t *testing.T) {
	for _, ty := range []string{
		"string", "number", "bool", "any", "list(string)", "set(number)", "map(list(any))", "tuple([string, bool])",
		`object({ a = string, b = optional(number), c = optional(list(string), ["x"]) })`,
		`list(object({ a = optional(object({ b = optional(string, "y") })) }))`,
	} {
		assert.Equal(t, ty, attribute(t, ty).TypeString())
	}
}
