package launch

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/runs"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

func TestVerdictOf(t *testing.T) {
	three := int32(3)
	for _, tc := range []struct {
		name         string
		in           *operatorv1.Terminal
		class, phase string
	}{
		{"succeeded", &operatorv1.Terminal{Phase: operatorv1.Phase_PHASE_SUCCEEDED}, "succeeded", "succeeded"},
		{"failed with a code", &operatorv1.Terminal{Phase: operatorv1.Phase_PHASE_FAILED, ExitCode: &three}, "user", "failed"},
		{"failed, no word why", &operatorv1.Terminal{Phase: operatorv1.Phase_PHASE_FAILED}, "system", "failed"},
		{"preempted", &operatorv1.Terminal{Phase: operatorv1.Phase_PHASE_FAILED, Class: operatorv1.Class_CLASS_PREEMPTED}, "preempted", "failed"},
		{"a class of the future is system", &operatorv1.Terminal{Phase: operatorv1.Phase_PHASE_FAILED, Class: 99}, "system", "failed"},
		{"cancelled", &operatorv1.Terminal{Phase: operatorv1.Phase_PHASE_CANCELLED, ExitCode: &three}, "cancelled", "cancelled"},
		{"lost", &operatorv1.Terminal{Phase: operatorv1.Phase_PHASE_LOST}, "lost", "lost"},
		{"a phase of the future", &operatorv1.Terminal{Phase: 99}, "system", "failed"},
		{"no terminal phase at all", &operatorv1.Terminal{Phase: operatorv1.Phase_PHASE_RUNNING}, "system", "failed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := verdictOf(tc.in, time.Now())
			assert.Equal(t, tc.class, v.Class)
			assert.Equal(t, tc.phase, v.Phase)
		})
	}
}

func TestExplainCancel(t *testing.T) {
	cancelled := runs.Verdict{Phase: phaseCancelled, Class: "cancelled"}
	for _, tc := range []struct {
		name  string
		v     runs.Verdict
		in    *runs.Intent
		class string
	}{
		{"a person", cancelled, &runs.Intent{Cause: runs.CauseUser}, "cancelled"},
		{"the run limit", cancelled, &runs.Intent{Cause: runs.CauseRun}, "timeout"},
		{"nobody here", cancelled, nil, "cancelled"},
		{"it succeeded a moment before", runs.Verdict{Phase: phaseSucceeded, Class: runs.ClassSucceeded}, &runs.Intent{Cause: runs.CauseRun}, "succeeded"},
		{"it failed a moment before", runs.Verdict{Phase: phaseFailed, Class: "user"}, &runs.Intent{Cause: runs.CauseUser}, "user"},
	} {
		t.Run(tc.name, func(t *testing.T) { assert.Equal(t, tc.class, explainCancel(tc.v, tc.in).Class) })
	}
}

func TestRetries(t *testing.T) {
	budget := project.Retry{Preempted: 2, System: 1}
	ended := func(classes ...string) []runs.Attempt {
		var out []runs.Attempt
		for _, c := range classes {
			out = append(out, runs.Attempt{Verdict: &runs.Verdict{Class: c}})
		}
		return append(out, runs.Attempt{}) // the current one
	}
	for _, tc := range []struct {
		name   string
		before []string
		class  string
		intent *runs.Intent
		want   bool
	}{
		{"first", nil, "preempted", nil, true},
		{"second", []string{"preempted"}, "preempted", nil, true},
		{"third", []string{"preempted", "preempted"}, "preempted", nil, false},
		{"classes have budgets of their own", []string{"preempted", "preempted"}, "system", nil, true},
		{"no budget", nil, "user", nil, false},
		{"lost never", nil, "lost", nil, false},
		{"timeout never", nil, "timeout", nil, false},
		{"a cancel is wanted", nil, "preempted", &runs.Intent{}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			assert.Equal(t, tc.want, retries(&runs.Run{Attempts: ended(tc.before...), Intent: tc.intent}, budget, tc.class))
		})
	}
}
