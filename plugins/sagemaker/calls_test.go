package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// perMinute is the budget of this test: that of a default operator, ten times as
// fast.
const perMinute = 3000

// TestQuestionsDoNotGrowWithRuns: 500 runs that nothing happens to cost what a few
// cost, beyond the pages of the lists.
func TestQuestionsDoNotGrowWithRuns(t *testing.T) {
	const during, few, many = 3 * time.Second, 5, 500
	asked := func(n int) (lists, describes int) {
		c := newBackend(t)
		operator := c.operator()
		operator["max_calls_per_minute"] = perMinute
		// Every job is asked for alone once, as the budget allows.
		settled := func(calls map[string]int) bool { return calls["DescribeTrainingJob"] >= n }
		calls := newHarnessOf(t, c, operator).Watched(n, settled, during)
		assert.LessOrEqual(t, calls["DescribeLogStreams"], few, "a log that cannot be there is not asked for")
		return calls["ListTrainingJobs"] + calls["Search"], calls["DescribeTrainingJob"]
	}
	fewLists, fewDescribes := asked(few)
	manyLists, manyDescribes := asked(many)
	t.Logf("questions in %s: %d runs: %d lists, %d describes; %d runs: %d lists, %d describes", during, few, fewLists, fewDescribes, many, manyLists, manyDescribes)
	assert.LessOrEqual(t, manyDescribes, fewDescribes+5, "nobody is asked for alone while nothing changes")
	assert.LessOrEqual(t, manyLists, (fewLists+2)*(1+many/pageSize))
}
