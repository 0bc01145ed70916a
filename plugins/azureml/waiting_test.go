package main

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/stephost/stephost/pluginsdk"
)

// The number of questions does not grow with the jobs, and everybody's turn comes.
func TestReasonsAreAskedForInTurn(t *testing.T) {
	var r reasons
	var jobs []string
	for i := range 500 {
		jobs = append(jobs, strconv.Itoa(i))
	}
	begin := time.Now()
	asked := map[string]int{}
	for s := range 600 { // a list each second
		now := begin.Add(time.Duration(s) * time.Second)
		if job := r.next(jobs, now); job != "" {
			asked[job]++
			r.learned(job, pluginsdk.Status{Phase: pluginsdk.Queued, Reason: "Quota"}, now)
		}
	}
	assert.Len(t, asked, 60, "one in ten seconds, nobody twice")

	few := map[string]int{}
	r = reasons{}
	for s := range 600 {
		now := begin.Add(time.Duration(s) * time.Second)
		if job := r.next(jobs[:3], now); job != "" {
			few[job]++
			r.learned(job, pluginsdk.Status{Phase: pluginsdk.Queued}, now)
		}
	}
	assert.Equal(t, map[string]int{"0": 10, "1": 10, "2": 10}, few, "each once a minute")
}

// What is known stays in sight until the job moves on.
func TestReasonsAreRecalled(t *testing.T) {
	var r reasons
	r.learned("a", pluginsdk.Status{Phase: pluginsdk.Queued, Reason: "Quota", Message: "0 of 4 cores are free"}, time.Now())
	for name, c := range map[string]struct {
		job  string
		now  pluginsdk.Status
		want pluginsdk.Status
	}{
		"still waits":  {"a", pluginsdk.Status{Phase: pluginsdk.Queued}, pluginsdk.Status{Phase: pluginsdk.Queued, Reason: "Quota", Message: "0 of 4 cores are free"}},
		"moved on":     {"a", pluginsdk.Status{Phase: pluginsdk.Running}, pluginsdk.Status{Phase: pluginsdk.Running}},
		"knows better": {"a", pluginsdk.Status{Phase: pluginsdk.Queued, Reason: "X"}, pluginsdk.Status{Phase: pluginsdk.Queued, Reason: "X"}},
		"another one":  {"b", pluginsdk.Status{Phase: pluginsdk.Queued}, pluginsdk.Status{Phase: pluginsdk.Queued}},
	} {
		t.Run(name, func(t *testing.T) {
			r.recall(c.job, &c.now)
			assert.Equal(t, c.want, c.now)
		})
	}
}
