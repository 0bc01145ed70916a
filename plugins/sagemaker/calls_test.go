package main

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"github.com/stephost/stephost/test/cloudfake"
)

// perMinute is the budget of these tests: that of a default operator, ten times
// as fast.
const perMinute = 3000

// patience bounds one round.
const patience = 5 * hang

// asked watches n waiting jobs, and counts the questions about them from when
// all were answered for the first time, until enough went by to tell.
func asked(t *testing.T, n int, during time.Duration) (lists, describes int) {
	c := newCloud(t)
	operator := c.operator()
	operator["max_calls_per_minute"] = perMinute
	h := newHarnessOf(t, c, operator)
	require.NoError(t, h.AddLife(h.ctx(), cloudfake.LifeRule{Life: cloudfake.Life{QueuedMS: 600_000}}))
	// 500 jobs and their watches take their time on a machine under load.
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	var streams []grpc.ServerStreamingClient[operatorv1.WatchResponse]
	handles := map[string]*operatorv1.Handle{}
	for i := range n {
		s := h.step(fmt.Sprintf("many-%d", i), "true")
		handles[s.Key] = h.accepted(s)
	}
	for key, handle := range handles {
		stream, err := h.client.Watch(ctx, &operatorv1.WatchRequest{Target: h.target, Handle: handle, Key: key, HeartbeatInterval: durationpb.New(hang)})
		require.NoError(t, err)
		streams = append(streams, stream)
	}
	for _, s := range streams {
		for {
			e, err := s.Recv()
			require.NoError(t, err)
			if e.GetStatus().GetPhase() == operatorv1.Phase_PHASE_PROVISIONING {
				break
			}
		}
	}
	count := func() (int, int) {
		calls, err := h.Calls(h.ctx())
		require.NoError(t, err)
		return calls["ListTrainingJobs"] + calls["Search"], calls["DescribeTrainingJob"]
	}
	var before, beforeD int
	require.Eventually(t, func() bool { // every job was asked for alone once
		before, beforeD = count()
		return beforeD >= n
	}, patience, 10*time.Millisecond)
	end := time.Now().Add(during)
	require.Eventually(t, func() bool { return time.Now().After(end) }, hang, 10*time.Millisecond)
	l, d := count()
	return l - before, d - beforeD
}

// TestQuestionsDoNotGrowWithRuns: 150 runs (500 in the long form) that nothing
// happens to cost what a few cost, beyond the pages of the lists.
func TestQuestionsDoNotGrowWithRuns(t *testing.T) {
	const during = 3 * time.Second
	many := 150
	if os.Getenv("STEPHOST_TORTURE") == "long" {
		many = 500
	}
	fewLists, fewDescribes := asked(t, 5, during)
	manyLists, manyDescribes := asked(t, many, during)
	t.Logf("questions in %s: 5 runs: %d lists, %d describes; %d runs: %d lists, %d describes", during, fewLists, fewDescribes, many, manyLists, manyDescribes)
	assert.LessOrEqual(t, manyDescribes, fewDescribes+5, "nobody is asked for alone while nothing changes")
	// 500 jobs are five pages at a sweep.
	assert.LessOrEqual(t, manyLists, fewLists*2+10)
}
