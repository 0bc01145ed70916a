package schema_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/schema"
)

// eval evaluates an expression as a project file does.
func eval(t testing.TB, text string, mode schema.Mode, r schema.Resolver) (cty.Value, error) {
	t.Helper()
	expr, diags := hclsyntax.ParseExpression([]byte(text), "x.hcl", hcl.InitialPos)
	require.False(t, diags.HasErrors(), diags.Error())
	v, diags := diag.Evaluate(expr, &hcl.EvalContext{Functions: schema.Functions(mode, r, "/base")})
	if diags.HasErrors() {
		return v, diags
	}
	return v, nil
}

func TestFunctions(t *testing.T) {
	for text, want := range map[string]string{
		`can(regex("^a+$", "aa"))`:                                 `true`,
		`try(tonumber("x"), 3)`:                                    `3`,
		`length("äb")`:                                             `2`,
		`length(["a"])`:                                            `1`,
		`length({ a = 1 })`:                                        `1`,
		`contains(["a"], "a")`:                                     `true`,
		`merge({ a = 1 }, { b = 2 })`:                              `{ a = 1, b = 2 }`,
		`join(",", sort(["b", "a"]))`:                              `"a,b"`,
		`format("%05.1f", 3.14159)`:                                `"003.1"`,
		`formatlist("%s!", ["a", "b"])`:                            `["a!", "b!"]`,
		`length(formatlist("a-%04d", range(1000)))`:                `1000`,
		`length(join(", ", formatlist("%s", range(1000))))`:        `4888`,
		`indent(2, "a\nb")`:                                        `"a\n  b"`,
		`distinct(["a", "b", "a"])`:                                `["a", "b"]`,
		`regexall("[a-z]", "a1b")`:                                 `["a", "b"]`,
		`replace("aba", "/b/", "<$0>")`:                            `"a<b>a"`,
		`jsonencode({ id = 9007199254740993 })`:                    `"{\"id\":9007199254740993}"`,
		`jsondecode("{\"id\":9007199254740993}").id`:               `9007199254740993`,
		`alltrue([true, "true"])`:                                  `true`,
		`alltrue([])`:                                              `true`,
		`anytrue([])`:                                              `false`,
		`anytrue([false, true])`:                                   `true`,
		`sum([1, 2.5])`:                                            `3.5`,
		`startswith("abc", "ab")`:                                  `true`,
		`endswith("abc", "bc")`:                                    `true`,
		`strcontains("abc", "x")`:                                  `false`,
		`base64decode(base64encode("ä"))`:                          `"ä"`,
		`basename("a/b.txt")`:                                      `"b.txt"`,
		`dirname("a/b.txt")`:                                       `"a"`,
		`substr(sha256(""), 0, 8)`:                                 `"e3b0c442"`,
		`tolist(toset(["b", "a", "b"]))`:                           `["a", "b"]`,
		`tonumber("12")`:                                           `12`,
		`coalesce(null, "x")`:                                      `"x"`,
		`lookup({ a = "1" }, "b", "2")`:                            `"2"`,
		`element(["a", "b"], 3)`:                                   `"b"`,
		`replace("a.b", "/\\./", "-")`:                             `"a-b"`,
		`trimspace(" x ")`:                                         `"x"`,
		`flatten([[1], [2, 3]])`:                                   `[1, 2, 3]`,
		`range(3)`:                                                 `[0, 1, 2]`,
		`min(3, 1) + max(1, 2) + abs(-1) + ceil(0.5) + floor(1.5)`: `6`,
	} {
		v, err := eval(t, text, schema.ModeResolve, nil)
		if assert.NoError(t, err, text) {
			assert.Equal(t, want, schema.Literal(v), text)
		}
	}
	a, b := schema.Functions(schema.ModeResolve, nil, ""), schema.Functions(schema.ModeResolve, nil, "")
	delete(a, "upper")
	assert.Contains(t, b, "upper", "the map is the caller's")
}

// TestGreedyFunctions: short texts that would take a gigabyte or the stack.
func TestGreedyFunctions(t *testing.T) {
	long := strings.Repeat("x", 50_000)
	for _, text := range []string{
		`format("%999999999d", 1)`,
		`format("%.999999999f", 1)`,
		`formatlist("%-999999999s", ["x"])`,
		`tonumber("1e999999999")`,
		`jsondecode("` + strings.Repeat("[", 100_000) + `")`,
		`jsondecode("[1e999999999]")`,
		`range(1000000000)`,
		`base64decode("/w==")`,
		`sum([1, null])`,
		`format("%*d", 999999999, 1)`,
		`format("` + strings.Repeat("%9999d", 10_000) + `", 1)`,
		`format("` + strings.Repeat("%[1]s", 10_000) + `", "` + long + `")`,
		`formatlist("` + strings.Repeat("%[1]s", 100) + `", "` + long + `", range(1000))`,
		`indent(999999999, "a\nb")`,
		`join("` + long + `", range(1000))`,
		`replace("` + long + `", "x", "` + long + `")`,
		`replace("` + long + `", "/x/", "` + long + `")`,
		`replace("` + long + `", "/x+/", "` + strings.Repeat("$0", 5_000) + `")`,
		`regexall("` + strings.Repeat("(", 900) + "x" + strings.Repeat(")", 900) + `", "` + long + `")`,
		`distinct(split("x", "` + long + `"))`,
	} {
		_, err := eval(t, text, schema.ModeResolve, nil)
		assert.Error(t, err, text[:min(len(text), 60)])
	}
}

// table is a resolver over fixed values.
type table map[string]string

func (r table) get(key string) (string, error) {
	if v, ok := r[key]; ok {
		return v, nil
	}
	return "", errors.New("not there")
}
func (r table) Env(name string) (string, error)   { return r.get("env:" + name) }
func (r table) File(path string) (string, error)  { return r.get("file:" + path) }
func (r table) Secret(ref string) (string, error) { return r.get("secret:" + ref) }

func TestModes(t *testing.T) {
	r := table{"env:A": "a", "file:/base/f": "f\n", "secret:file:/base/s": "s", "secret:cmd:pass x": "p", "env:NUL": "x\x00ref:env:B\x00"}

	v, err := eval(t, `env("A")`, schema.ModeValidate, r)
	require.NoError(t, err)
	assert.False(t, v.IsKnown())
	v, err = eval(t, `"x${secret("env:A")}"`, schema.ModeValidate, nil)
	require.NoError(t, err)
	assert.True(t, v.HasMark(schema.Sensitive))
	assert.Equal(t, cty.String, v.Type())

	v, err = eval(t, `"${env("A")}-${file("f")}"`, schema.ModeResolve, r)
	require.NoError(t, err)
	assert.Equal(t, "a-f\n", v.AsString())
	v, err = eval(t, `upper(secret("file:s"))`, schema.ModeResolve, r)
	require.NoError(t, err)
	assert.True(t, v.HasMark(schema.Sensitive))
	for text, want := range map[string]string{
		`env("B")`: "not there", `env("NUL")`: "control characters", `env("")`: "no name", `env("A=B")`: "no name",
		`file("")`: "a path", `secret("hunter2")`: "must not be written", `secret("http:x")`: "must not be written",
	} {
		_, err = eval(t, text, schema.ModeResolve, r)
		if assert.ErrorContains(t, err, want, text) {
			assert.NotContains(t, err.Error(), "hunter2")
		}
	}
}

func TestReferences(t *testing.T) {
	r := table{"env:A": "a", "file:/base/f": "f", "secret:file:/base/s": "s", "secret:cmd:pass x": "p"}
	for text, want := range map[string]string{
		`env("A")`: "a", `file("f")`: "f", `secret("file:s")`: "s", `secret("cmd:pass x")`: "p",
		`"user:${secret("cmd:pass x")}@${env("A")}!"`: "user:p@a!",
		`{ x = [env("A")] }.x[0]`:                     "a",
	} {
		v, err := eval(t, text, schema.ModeReference, nil)
		require.NoError(t, err, text)
		s := v.AsString()
		assert.True(t, schema.HasReference(s))
		assert.NotEmpty(t, schema.References(s))
		got, err := schema.ExpandTemplate(t.Context(), s, r)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	// A function would change, measure or compare the placeholder in silence.
	for _, text := range []string{`upper(env("A"))`, `length(file("f"))`, `trimspace(secret("file:s"))`, `try(env("A"), "x")`, `join("", [env("A")])`} {
		_, err := eval(t, text, schema.ModeReference, nil)
		assert.ErrorContains(t, err, "cannot work on", text)
	}
	for text, bad := range map[string]bool{
		`env("A") == "" ? "x" : "y"`: true, `env("A") + 1`: true, `env("A")[0]`: true, `[for x in [env("A")] : x]`: true,
		`"a${env("A")}"`: false, `{ a = [file("x")] }`: false, `true ? "a" : "b"`: false,
	} {
		expr, diags := hclsyntax.ParseExpression([]byte(text), "x.hcl", hcl.InitialPos)
		require.False(t, diags.HasErrors())
		assert.Equal(t, bad, schema.CheckReferences(expr).HasErrors(), text)
	}
}

func TestExpandTemplate(t *testing.T) {
	r := table{"env:A": "a\x00ref:env:B\x00"}
	got, err := schema.ExpandTemplate(t.Context(), "plain", r)
	require.NoError(t, err)
	assert.Equal(t, "plain", got)
	got, err = schema.ExpandTemplate(t.Context(), "\x00ref:env:A\x00", r)
	require.NoError(t, err)
	assert.Equal(t, r["env:A"], got, "values are not expanded again")
	for s, want := range map[string]string{
		"\x00ref:env:B\x00": `env("B"): not there`,
		"\x00ref:env:B":     "damaged",
		"\x00ref:x\x00":     "damaged",
		"\x00ref:x:y\x00":   "unknown kind",
	} {
		_, err := schema.ExpandTemplate(t.Context(), s, r)
		assert.ErrorContains(t, err, want)
	}
}
