package launch

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/runs"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

func TestTimers(t *testing.T) {
	zero := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return zero.Add(time.Duration(s) * time.Second) }
	status := func(p operatorv1.Phase, since, observed int) *operatorv1.Status {
		return &operatorv1.Status{Phase: p, PhaseSince: timestamppb.New(at(since)), ObservedAt: timestamppb.New(at(observed))}
	}
	const (
		provisioning = operatorv1.Phase_PHASE_PROVISIONING
		running      = operatorv1.Phase_PHASE_RUNNING
	)
	for _, tc := range []struct {
		name      string
		limits    project.Timeouts
		seen      []*operatorv1.Status
		confirmed int
		want      string
	}{
		{"no limits", project.Timeouts{}, []*operatorv1.Status{status(running, 0, 1000)}, 100000, ""},
		{"provisioning, before", project.Timeouts{Provisioning: 10 * time.Second}, []*operatorv1.Status{status(provisioning, 0, 9)}, 9, ""},
		{"provisioning, behind", project.Timeouts{Provisioning: 10 * time.Second}, []*operatorv1.Status{status(provisioning, 0, 11)}, 11, runs.CauseProvisioning},
		{"provisioning is over when it runs", project.Timeouts{Provisioning: 10 * time.Second}, []*operatorv1.Status{status(running, 9, 11)}, 1000, ""},
		{"run counts from the backend's own start", project.Timeouts{Run: 10 * time.Second}, []*operatorv1.Status{status(running, 100, 109)}, 109, ""},
		{"run", project.Timeouts{Run: 10 * time.Second}, []*operatorv1.Status{status(running, 100, 111)}, 111, runs.CauseRun},
		{"run goes on over a restart", project.Timeouts{Run: 10 * time.Second},
			[]*operatorv1.Status{status(running, 100, 101), status(provisioning, 102, 103)}, 111, runs.CauseRun},
		{"provisioning starts anew with a restart", project.Timeouts{Provisioning: 10 * time.Second},
			[]*operatorv1.Status{status(running, 5, 6), status(provisioning, 100, 101)}, 109, ""},
		{"total", project.Timeouts{Total: 10 * time.Second, Run: time.Hour}, []*operatorv1.Status{status(running, 5, 11)}, 11, runs.CauseTotal},
		{"an unknown phase keeps the last one", project.Timeouts{Provisioning: 10 * time.Second},
			[]*operatorv1.Status{status(running, 5, 6), status(operatorv1.Phase(99), 7, 8)}, 1000, ""},
		{"a state of before the limit decides nothing", project.Timeouts{Run: 10 * time.Second}, []*operatorv1.Status{status(running, 0, 5)}, 5, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := &timers{limits: tc.limits, created: zero, submitted: zero, phase: "submitted"}
			for _, s := range tc.seen {
				x.observe(s, at(0))
			}
			assert.Equal(t, tc.want, x.expired(at(tc.confirmed)))
			if tc.limits == (project.Timeouts{}) {
				assert.Equal(t, never, x.next(zero))
			} else {
				assert.Positive(t, x.next(at(1_000_000)), "a due timer does not spin")
			}
		})
	}
}
