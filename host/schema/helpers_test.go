package schema_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/manifest"
	"github.com/stephost/stephost/host/schema"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), got, "go test -update writes the golden files")
}

// flavor is a manifest with the given blocks, parsed by the real parser.
func flavor(t testing.TB, src *diag.Sources, blocks string) *schema.Schema {
	t.Helper()
	text := "flavor \"test\" {\n  version     = \"1.0.0\"\n  protocol    = [1]\n  summary     = \"A flavor for tests.\"\n  environment = [\"none\"]\n" + blocks + "}\n"
	m, diags := manifest.Parse(src, "flavor.hcl", []byte(text))
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			t.Fatal(d)
		}
	}
	return m.Schema
}

// values reads attributes as a project file's block holds them.
func values(t testing.TB, src *diag.Sources, file, text, origin string, functions schema.Mode, r schema.Resolver) []schema.Given {
	t.Helper()
	f, diags := src.Parse(file, []byte(text))
	require.False(t, diags.HasErrors(), diags.Error())
	attrs, diags := f.Body.JustAttributes()
	require.False(t, diags.HasErrors(), diags.Error())
	ctx := &hcl.EvalContext{Functions: schema.Functions(functions, r, "/base")}
	var out []schema.Given
	for _, a := range attrs {
		v, diags := a.Expr.Value(ctx)
		require.False(t, diags.HasErrors(), diags.Error())
		out = append(out, schema.Given{Name: a.Name, Value: v, NameRange: a.NameRange, ValueRange: a.Expr.Range(), Expr: a.Expr, Origin: origin})
	}
	// Attributes come from a map; people read them in order.
	for i := range out {
		for j := i + 1; j < len(out); j++ {
			if out[j].NameRange.Start.Byte < out[i].NameRange.Start.Byte {
				out[i], out[j] = out[j], out[i]
			}
		}
	}
	return out
}

func given(name string, v cty.Value, origin string) schema.Given {
	return schema.Given{Name: name, Value: v, Origin: origin}
}

func summaries(diags hcl.Diagnostics) []string {
	out := []string{}
	for _, d := range diags {
		out = append(out, d.Summary)
	}
	return out
}

func rendered(t *testing.T, src *diag.Sources, diags hcl.Diagnostics) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, src.WriteText(&b, diags, diag.TextOptions{}))
	return b.String()
}
