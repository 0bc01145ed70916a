package project_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHugeInput(t *testing.T) {
	for name, text := range map[string]string{
		"bytes":   "step \"a\" {\n command = [\"" + strings.Repeat("x", 10<<20) + "\"]\n}\n",
		"nesting": "locals {\n a = " + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + "\n}\n",
		"binary":  "\x7fELF\x00\x01\x02",
		"laughs":  laughs(40),
		"locals":  manyLocals(2000),
	} {
		t.Run(name, func(t *testing.T) {
			w := load(t, text)
			require.True(t, w.diags.HasErrors())
			assert.Less(t, len(w.text(w.diags)), 20_000)
		})
	}
}

// laughs is a chain of locals that doubles at each step.
func laughs(n int) string {
	var b strings.Builder
	b.WriteString("locals {\n  l0 = \"ha\"\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "  l%d = \"${local.l%d}${local.l%d}\"\n", i, i-1, i-1)
	}
	fmt.Fprintf(&b, "}\nstep \"a\" {\n  command = [\"x\"]\n  secrets = { A = local.l%d }\n}\n", n-1)
	return b.String()
}

func manyLocals(n int) string {
	var b strings.Builder
	b.WriteString("locals {\n  l0 = 1\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "  l%d = [local.l%d]\n", i, i-1)
	}
	b.WriteString("}\n")
	return b.String()
}
