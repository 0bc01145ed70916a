package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// settled: nothing is asked for once only. A run that waits is explained after
// explainAfter, which no test comes to.
func settled(map[string]int) bool { return true }

// TestQuestionsDoNotGrowWithRuns: runs that nothing happens to cost lists alone,
// whose pages grow and whose number does not.
func TestQuestionsDoNotGrowWithRuns(t *testing.T) {
	const during, few, many, page = 3 * time.Second, 5, 500, 25
	fewer := newHarness(t).Watched(few, settled, during)
	more := newHarness(t).Watched(many, settled, during)
	const list, get = "JobsClient.List", "JobsClient.Get"
	t.Logf("questions in %s: %d runs: %d pages of lists, %d single; %d runs: %d pages, %d single", during, few, fewer[list], fewer[get], many, more[list], more[get])
	assert.LessOrEqual(t, more[get], few, "nobody is asked for alone while nothing changes")
	assert.LessOrEqual(t, more["History.Details"], few, "a log that cannot be there is not asked for")
	assert.LessOrEqual(t, more[list], (fewer[list]+2)*(1+many/page))
}
