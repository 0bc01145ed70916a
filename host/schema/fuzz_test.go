package schema_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/schema"
)

// FuzzSchemaEvaluate: whatever a person writes into a settings block or a flag
// ends in a value that survives JSON, or in diagnostics that can be shown.
func FuzzSchemaEvaluate(f *testing.F) {
	f.Add("volume_size = 3\npod_labels = { a = \"b\" }\n", "[{ key = \"a\" }]", byte(0))
	f.Add("tolerations = [{ key = \"a\", opp = 1 }, {}]\nany = [1, {}, null]\n", "{", byte(1))
	f.Add("user = env(\"A\")\ninstance_type = \"x${secret(\"env:A\")}\"\n", "null", byte(2))
	f.Add("zones = toset([\"a\"])\nid = 1e400\nany = { for k, v in { a = 1 } : k => v }\n", "1e500", byte(1))
	f.Add("id = 99999999999999999999999999 / 3\nold = \"true\"\ntolerations = [null]\n", "[null]", byte(2))
	var shared diag.Sources
	s := flavor(f, &shared, attributes)
	f.Fuzz(func(t *testing.T, text, flagText string, stage byte) {
		var src diag.Sources
		in := schema.Input{Stage: schema.Stage(stage % 3)}
		file, diags := src.Parse("s.hcl", []byte(text))
		attrs, more := file.Body.JustAttributes()
		diags = append(diags, more...)
		mode := schema.Mode(stage / 3 % 2) // validate or reference: nothing is looked up
		for _, a := range attrs {
			v, more := a.Expr.Value(&hcl.EvalContext{Functions: schema.Functions(mode, nil, "/")})
			diags = append(diags, more...)
			in.Settings = append(in.Settings, schema.Given{Name: a.Name, Value: v, NameRange: a.NameRange, ValueRange: a.Expr.Range(), Expr: a.Expr, Origin: "step"})
		}
		v, more := schema.ParseValue(s.Lookup("tolerations"), flagText, &src, "--tolerations")
		diags = append(diags, more...)
		if !more.HasErrors() {
			in.Settings = append(in.Settings, schema.Given{Name: "tolerations", Value: v, Origin: "command line"})
		}
		in.Config = []schema.Given{{Name: "role", Value: cty.StringVal("train"), Origin: "operator"}}
		r, more := s.Evaluate(in)
		diags = append(diags, more...)
		if !more.HasErrors() {
			for _, v := range r.Settings {
				schema.Literal(v.Value)
			}
			b, _, err := s.EncodeJSON(r.Settings, schema.Setting)
			if in.Stage == schema.StageLaunch && err != nil {
				t.Fatal(err)
			}
			if err == nil && !json.Valid(b) {
				t.Fatalf("not JSON: %q", b)
			}
		}
		var b strings.Builder
		if err := src.WriteText(&b, diags, diag.TextOptions{}); err != nil {
			t.Fatal(err)
		}
	})
}
