package launch

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/runs"
)

// TestProjectIsInTheRecord: whoever reads a run's plan sends the project that it was
// launched from; a record of a stephost that knew no projects gives none.
func TestProjectIsInTheRecord(t *testing.T) {
	r := &runs.Run{Operator: "op", Attempts: []runs.Attempt{{Number: 1, Key: Key("t", 1), Handle: []byte("h")}}}
	stored, err := json.Marshal(plan{Step: &project.Resolved{Name: "train", Project: "digits", Argv: []string{"true"}}})
	require.NoError(t, err)
	for text, want := range map[string]string{
		string(stored): "digits",
		`{"Step":{"name":"train","operator":"op","argv":["true"],"environment":{"kind":"none"},"resources":{},"timeouts":{},"retry":{}}}`: "",
	} {
		var p plan
		require.NoError(t, json.Unmarshal([]byte(text), &p))
		q := requestOf(r, p, 0)
		target, missing := q.target(t.Context(), nil)
		require.Nil(t, missing)
		assert.Equal(t, want, target.GetProject())
	}
}
