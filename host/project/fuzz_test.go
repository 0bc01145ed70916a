package project_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/schema"
)

// FuzzLoad: whatever the bytes are, loading and resolving end without a panic,
// every diagnostic can be shown, and a resolved step has a definition.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(sample), false)
	f.Add([]byte(levels), false)
	f.Add([]byte(laughs(12)), false)
	f.Add([]byte(`{"operator":{"o":{"flavor":"cloud","config":{"role":"x"}}},"step":{"s":{"command":["x","${env(\"A\")}"],"secrets":{"A":"${env(\"B\")}"}}}}`), true)
	f.Add([]byte("locals {\n a = local\n b = local[\"a\"]\n c = { for k, v in local : k => v }\n}\n"), false)
	f.Add([]byte("step \"a\" {\n command = [for x in [1, 2] : \"${x}\"]\n env = { (var.x) = secret(\"env:A\") }\n}\nvariable \"x\" { default = \"k\" }\n"), false)
	f.Add([]byte("operator \"o\" {\n flavor = \"cloud\"\n config {\n password = jsondecode(file(\"x\")).a[0]\n account = local.a\n }\n}\nlocals { a = { user = env(\"A\"), key = \"x\" } }\n"), false)
	f.Add([]byte("step \"a\" {\n secrets = true ? { A = env(\"A\") } : null\n labels = null\n environment { registry = { push = null } }\n}\n"), false)
	m := flavor(f, cloud)
	f.Fuzz(func(t *testing.T, src []byte, asJSON bool) {
		// What is no UTF-8 is refused before it is parsed, and showing it is
		// host/diag's matter.
		if !utf8.Valid(src) || asJSON && !bytes.HasPrefix(src, []byte("{")) {
			return
		}
		sources := &diag.Sources{}
		p, diags := project.Load(context.Background(), project.LoadOptions{Files: []string{"-"}, Stdin: bytes.NewReader(src),
			Dir: "/nowhere", Sources: sources})
		show(t, sources, diags)
		if diags.HasErrors() {
			return
		}
		for _, step := range p.StepOrder {
			for _, name := range p.OperatorOrder {
				for _, stage := range []schema.Stage{schema.StageStep, schema.StageLaunch} {
					got, diags := project.Resolve(context.Background(), project.ResolveRequest{Project: p, Step: step,
						Operator: p.Operators[name], Manifest: m, Stage: stage, Sources: sources, Resolver: &counting{}})
					show(t, sources, diags)
					if !diags.HasErrors() && len(got.Definition()) == 0 {
						t.Fatal("no definition")
					}
				}
			}
		}
	})
}

func show(t *testing.T, sources *diag.Sources, diags hcl.Diagnostics) {
	var b strings.Builder
	if err := sources.WriteText(&b, diags, diag.TextOptions{}); err != nil {
		t.Fatal(err)
	}
}
