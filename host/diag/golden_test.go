package diag_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/diag"
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

// content reads a file as a project file would be: syntax, names, values.
func content(s *diag.Sources, name string, src []byte) hcl.Diagnostics {
	f, diags := s.Parse(name, src)
	if diags.HasErrors() {
		return diags
	}
	c, diags := f.Body.Content(&hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{{Name: "command"}, {Name: "env"}, {Name: "operator"}},
		Blocks:     []hcl.BlockHeaderSchema{{Type: "environment"}, {Type: "step", LabelNames: []string{"name"}}},
	})
	ctx := &hcl.EvalContext{Variables: map[string]cty.Value{"var": cty.EmptyObjectVal}}
	for _, name := range []string{"command", "env", "operator"} {
		if a := c.Attributes[name]; a != nil {
			_, more := a.Expr.Value(ctx)
			diags = append(diags, more...)
		}
	}
	return diags
}

// TestSlips shows what a newcomer reads, for each slip that the first minutes
// bring.
func TestSlips(t *testing.T) {
	files, err := filepath.Glob("testdata/slip_*.hcl*")
	require.NoError(t, err)
	seen := 0
	for _, file := range files {
		if strings.HasSuffix(file, ".txt") {
			continue
		}
		seen++
		t.Run(filepath.Base(file), func(t *testing.T) {
			src, err := os.ReadFile(file)
			require.NoError(t, err)
			var s diag.Sources
			diags := content(&s, filepath.Base(file), src)
			require.True(t, diags.HasErrors())
			var b strings.Builder
			require.NoError(t, s.WriteText(&b, diags, diag.TextOptions{}))
			golden(t, file+".txt", b.String())
			assert.Equal(t, s.JSON(diags), s.JSON(s.Explain(diags)), "explaining twice changes nothing")
		})
	}
	assert.Greater(t, seen, 10)
}
