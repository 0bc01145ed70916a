package diag_test

import (
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/stretchr/testify/assert"

	"github.com/stephost/stephost/host/diag"
)

// TestLimits: each of these overflows the stack, fills the memory or takes
// minutes without a check before the parser.
func TestLimits(t *testing.T) {
	r := strings.Repeat
	for _, tc := range []struct{ name, file, src, want string }{
		{"size", "a.hcl", "a = \"" + r("x", diag.MaxSource) + "\"", "File too large"},
		{"binary", "a.hcl", "\x7fELF\x00\x01", "Not a text file"},
		{"not UTF-8", "a.hcl", "a = \"\xff\"", "Not a text file"},
		{"brackets", "a.hcl", "a = " + r("[", 10_000) + r("]", 10_000), "Nested too deeply"},
		{"open brackets", "a.hcl", "a = " + r("[", 100_000), "Nested too deeply"},
		{"parentheses", "a.hcl", "a = " + r("(", 10_000) + "1" + r(")", 10_000), "Nested too deeply"},
		{"blocks", "a.hcl", r("a {\n", 10_000) + r("}\n", 10_000), "Nested too deeply"},
		{"templates", "a.hcl", "a = " + r(`"${`, 10_000) + "1" + r(`}"`, 10_000), "Nested too deeply"},
		{"calls", "a.hcl", "a = " + r("f(", 10_000) + r(")", 10_000), "Nested too deeply"},
		{"objects", "a.hcl", "a = " + r("{b=", 10_000) + "1" + r("}", 10_000), "Nested too deeply"},
		{"not", "a.hcl", "a = " + r("!", 100_000) + "true", "Expression too long"},
		{"minus", "a.hcl", "a = " + r("- ", 100_000) + "1", "Expression too long"},
		{"sum", "a.hcl", "a = 1" + r("+1", 50_000), "Expression too long"},
		{"sum over lines", "a.hcl", "a = (1" + r("+\n1", 50_000) + ")", "Expression too long"},
		{"conditionals", "a.hcl", "a = " + r("true?1:", 50_000) + "1", "Expression too long"},
		{"indexes", "a.hcl", "a = b" + r("[0]", 50_000), "Expression too long"},
		{"directives", "a.hcl", "a = \"" + r("%{if true}", 10_000) + r("%{endif}", 10_000) + "\"", "Expression too long"},
		{"heredoc directives", "a.hcl", "a = <<E\n" + r("%{if true}\n", 10_000) + r("%{endif}\n", 10_000) + "E\n", "Expression too long"},
		{"exponent", "a.hcl", "a = 1e999999999", "Number too large"},
		{"negative exponent", "a.hcl", "a = 1e-999999999", "Number too large"},
		{"endless exponent", "a.hcl", "a = 1e" + r("9", 100), "Number too large"},
		{"digits", "a.hcl", "a = " + r("9", 2_000), "Number too large"},
		{"JSON arrays", "a.hcl.json", `{"a":` + r("[", 100_000) + r("]", 100_000) + "}", "Nested too deeply"},
		{"JSON objects", "a.hcl.json", r(`{"a":`, 10_000) + "1" + r("}", 10_000), "Nested too deeply"},
		{"JSON template", "a.hcl.json", `{"a":"${` + r("[", 10_000) + r("]", 10_000) + `}"}`, "Nested too deeply"},
		{"escaped JSON template", "a.hcl.json", `{"a":"\u0024{` + r("[", 10_000) + r("]", 10_000) + `}"}`, "Nested too deeply"},
		{"JSON exponent", "a.hcl.json", `{"a":1e999999999}`, "Number too large"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var s diag.Sources
			f, diags := s.Parse(tc.file, []byte(tc.src))
			assert.NotNil(t, f.Body)
			if assert.Len(t, diags, 1) {
				assert.Equal(t, tc.want, diags[0].Summary)
			}
			if tc.file == "a.hcl" && strings.HasPrefix(tc.src, "a = ") {
				_, diags = s.ParseExpression("--x", []byte(strings.TrimPrefix(tc.src, "a = ")))
				assert.True(t, diags.HasErrors())
			}
		})
	}
}

// TestLimitsAreWide: ordinary big files stay below the limits.
func TestLimitsAreWide(t *testing.T) {
	for name, src := range map[string]string{
		"many attributes":      strings.Repeat("a {\n  b = c.d.e[0] + f(1, 2) - 3\n  g = \"-${x}-\"\n}\n", 3_000),
		"long list":            "a = [" + strings.Repeat("-1 + 2, [3], {x = 1}, ", 5_000) + "]",
		"long template":        "a = \"" + strings.Repeat("${x}-", 5_000) + "\"",
		"hash":                 "a = \"sha256:1e99999f1e99999\"",
		"brackets in a string": "a = \"" + strings.Repeat("[(!", 5_000) + "\"",
		"objects over lines":   "a = {\n" + strings.Repeat("  x = 1 + 2 + 3\n", 5_000) + "}\n",
	} {
		t.Run(name, func(t *testing.T) {
			var s diag.Sources
			_, diags := s.Parse("a.hcl", []byte(src))
			assert.Empty(t, diags)
		})
	}
}

func TestSuggest(t *testing.T) {
	words := []string{"instance_type", "instance_count", "role", "region", "volume_size"}
	for word, want := range map[string]string{
		"rol": "role", "Role": "role", "rloe": "role", "instance-type": "instance_type", "instanceType": "instance_type",
		"volume": "volume_size", "size": "volume_size", "instance": "", "xyz": "", "": "", "regoin": "region",
		strings.Repeat("x", 1<<20): "",
	} {
		assert.Equal(t, want, diag.Suggest(word, words), word)
	}
	assert.Empty(t, diag.Suggest("x", nil))
}

func FuzzParse(f *testing.F) {
	f.Add("a.hcl", []byte("a = 1\nb \"c\" {\n d = \"${e}\" \n}\n"))
	f.Add("a.hcl.json", []byte(`{"a": ["${b}"]}`))
	f.Add("a.hcl", []byte("a = \"%{x}\"\nb { c = 1, d = 2 }\ne = 2h\n"))
	f.Fuzz(func(t *testing.T, name string, src []byte) {
		var s diag.Sources
		file, diags := s.Parse(name, src)
		if !diags.HasErrors() {
			attrs, more := file.Body.JustAttributes()
			diags = append(diags, more...)
			for _, a := range attrs {
				_, more := a.Expr.Value(&hcl.EvalContext{})
				diags = append(diags, more...)
			}
		}
		var b strings.Builder
		if err := s.WriteText(&b, diags, diag.TextOptions{}); err != nil {
			t.Fatal(err)
		}
		s.JSON(diags)
	})
}
