package cli_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A plugin that does not start is started for one of its operators: each further start
// would wait longer, and none would say more.
func TestDoctorStartsWhatIsBrokenOnce(t *testing.T) {
	w := newWorld(t)
	w.registerCloud()
	for i := range 6 {
		require.Zero(t, w.run("operator", "register", fmt.Sprintf("op%d", i), "--flavor=cloud", "--role=train").code)
	}
	starts := func() int {
		text, err := os.ReadFile(w.trace)
		require.NoError(t, err)
		require.NoError(t, os.Remove(w.trace))
		return strings.Count(string(text), "ran")
	}

	r := w.run("doctor", "-C", w.dir)
	assert.Equal(t, 1, r.code, r.err)
	assert.Equal(t, 1, starts())
	assert.Contains(t, r.err, "-- asking the plugins of 6 operators --")
	var errors []string
	for line := range strings.Lines(r.out) {
		if strings.HasPrefix(line, "ERROR") || strings.Contains(line, "Next: see operator") {
			errors = append(errors, strings.TrimSpace(line))
		}
	}
	want := []string{"ERROR    operator op0: the plugin of cloud@0.1.0 does not start"}
	for i := 1; i < 6; i++ {
		want = append(want, fmt.Sprintf("ERROR    operator op%d: the plugin of cloud@0.1.0 does not start", i), "Next: see operator op0, which has the same one")
	}
	assert.Equal(t, want, errors, "each operator in its place")
	assert.Contains(t, r.out, "it ended before it answered")
	assert.Contains(t, r.out, "Next: check the file with: stephost flavor verify cloud")
	assert.NotContains(t, r.out, "starts and answers")

	w.write("stephost.hcl", "variable \"unused\" {\n  default = 1\n}\n")
	r = w.run("-o", "json", "doctor", "op0", "-C", w.dir)
	assert.Equal(t, 1, r.code)
	var doc struct {
		V     int
		Items []struct{ About, Level, Text, Next string }
	}
	require.NoError(t, json.Unmarshal([]byte(r.out), &doc), r.out)
	require.NotEmpty(t, doc.Items)
	assert.Equal(t, "home", doc.Items[0].About)
	assert.Equal(t, "error", doc.Items[len(doc.Items)-1].Level)
	assert.Equal(t, 1, starts())
}
