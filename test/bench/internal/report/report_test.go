package report

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/bench/internal/stats"
)

func TestReport(t *testing.T) {
	r := &Report{}
	r.Section("one")
	r.Add(Line{What: "a", Sample: stats.Sample{1, 2, 3}, Unit: "ms", Goal: "<= 5", Holds: true})
	r.Add(Line{What: "b", Sample: One(7.25), Unit: "ms", Goal: "<= 5", Note: "slow"})
	r.Add(Line{What: "c", Sample: One(1234)})
	r.Note("seen %d times", 3)
	var text, markdown strings.Builder
	require.NoError(t, r.Write(&text, false))
	require.NoError(t, r.Write(&markdown, true))
	assert.Contains(t, text.String(), "does not hold")
	assert.Contains(t, text.String(), "seen 3 times\n")
	assert.Contains(t, markdown.String(), "| b | 7.25 | 7.25 | 7.25 | 1 | ms | <= 5 | does not hold | slow |")
	assert.Contains(t, markdown.String(), "| c | 1234 |")
	missed, goals := r.Missed()
	assert.Equal(t, 1, missed)
	assert.Equal(t, 2, goals)

	r.Section("two")
	text.Reset()
	require.NoError(t, r.Write(&text, false))
	assert.NotContains(t, text.String(), "slow", "a section is printed once")
}
