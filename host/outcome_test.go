package host_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/launch"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/runs"
)

func TestExitCodes(t *testing.T) {
	code := func(n int) *int { return &n }
	run := func(v runs.Verdict) *runs.Run { return &runs.Run{ID: "R", State: runs.Closed, Verdict: &v} }
	for _, tc := range []struct {
		name   string
		run    *runs.Run
		err    error
		signal int
		exit   int
		class  string
	}{
		{"succeeded", run(runs.Verdict{Class: runs.ClassSucceeded, ExitCode: code(0)}), nil, 0, 0, "succeeded"},
		{"the step's own code", run(runs.Verdict{Class: "user", ExitCode: code(17)}), nil, 0, 17, "user"},
		{"a step that exits like a timeout", run(runs.Verdict{Class: "user", ExitCode: code(124)}), nil, 0, 124, "user"},
		{"failed with no known code", run(runs.Verdict{Class: "user"}), nil, 0, 1, "user"},
		{"failed and says 0", run(runs.Verdict{Class: "user", ExitCode: code(0)}), nil, 0, 1, "user"},
		{"capacity", run(runs.Verdict{Class: "capacity"}), nil, 0, 75, "capacity"},
		{"preempted", run(runs.Verdict{Class: "preempted"}), nil, 0, 75, "preempted"},
		{"system", run(runs.Verdict{Class: "system"}), nil, 0, 75, "system"},
		{"lost", run(runs.Verdict{Class: "lost"}), nil, 0, 75, "lost"},
		{"timeout", run(runs.Verdict{Class: "timeout", ExitCode: code(143)}), nil, 0, 124, "timeout"},
		{"config", run(runs.Verdict{Class: "config"}), nil, 0, 125, "config"},
		{"cancelled", run(runs.Verdict{Class: "cancelled"}), nil, 0, 130, "cancelled"},
		{"cancelled by SIGTERM", run(runs.Verdict{Class: "cancelled"}), nil, host.ExitTerm, 143, "cancelled"},
		{"leftovers do not change the verdict", run(runs.Verdict{Class: runs.ClassSucceeded}),
			&launch.LeftoversError{Run: &runs.Run{}, Err: errors.New("403")}, 0, 0, "succeeded"},
		{"unconfirmed", &runs.Run{ID: "R", State: runs.Submitted}, &launch.UnconfirmedError{Run: &runs.Run{}, Reason: "still there"}, 0, 130, "cancelled"},
		{"unknown", &runs.Run{ID: "R", State: runs.Unknown}, &launch.UnknownError{Run: &runs.Run{Attempts: []runs.Attempt{{}}}}, 0, 125, "unknown"},
		{"bad input", nil, &problem.Error{Summary: "no"}, 0, 125, "unknown"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := host.ResultOf(tc.run, tc.err, tc.signal)
			assert.Equal(t, tc.exit, r.Exit)
			assert.Equal(t, tc.class, r.Class)
			assert.Equal(t, tc.err != nil, r.Error != "")
		})
	}
}
