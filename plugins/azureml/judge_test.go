package main

import (
	"testing"
	"time"

	ml "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"
	"github.com/stretchr/testify/assert"

	"github.com/stephost/stephost/pluginsdk"
)

// TestPhases: every state of the API has a phase, but for the one that says that
// nothing is known.
func TestPhases(t *testing.T) {
	for _, state := range ml.PossibleJobStatusValues() {
		if state != ml.JobStatusUnknown {
			assert.NotZero(t, phaseOf(state), state)
		}
	}
	assert.Zero(t, phaseOf("SomethingNew"))
}

// TestJudge: whose matter an end is.
func TestJudge(t *testing.T) {
	timed := &ml.CommandJob{Limits: &ml.CommandJobLimits{Timeout: ptr("PT60S")}}
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		phase      pluginsdk.Phase
		code, text string
		job        *ml.CommandJob
		lasted     time.Duration
		want       pluginsdk.Phase
		class      pluginsdk.Class
		exit       int
	}{
		"exit codes":           {pluginsdk.Failed, "UserError", "AzureMLCompute job failed. ExecutionFailed: exit codes: 7", nil, 0, pluginsdk.Failed, pluginsdk.ClassUser, 7},
		"a signal":             {pluginsdk.Failed, "UserError", "process exited with status code -9", nil, 0, pluginsdk.Failed, pluginsdk.ClassUser, 137},
		"user, no code":        {pluginsdk.Failed, "UserError", "bad", nil, 0, pluginsdk.Failed, pluginsdk.ClassUser, 0},
		"quota":                {pluginsdk.Failed, "UserError", "Operation would exceed the approved core Quota", nil, 0, pluginsdk.Failed, pluginsdk.ClassCapacity, 0},
		"capacity":             {pluginsdk.Failed, "ServiceError", "AllocationFailed", nil, 0, pluginsdk.Failed, pluginsdk.ClassCapacity, 0},
		"preempted":            {pluginsdk.Failed, "ServiceError", "the node was preempted", nil, 0, pluginsdk.Failed, pluginsdk.ClassPreempted, 0},
		"image":                {pluginsdk.Failed, "UserError", "image pull: unauthorized", nil, 0, pluginsdk.Failed, pluginsdk.ClassConfig, 0},
		"the service":          {pluginsdk.Failed, "ServiceError", "internal", nil, 0, pluginsdk.Failed, pluginsdk.ClassSystem, 0},
		"nothing is told":      {pluginsdk.Failed, "", "", nil, 0, pluginsdk.Failed, pluginsdk.ClassSystem, 0},
		"cancelled":            {pluginsdk.Cancelled, "", "", timed, 59 * time.Second, pluginsdk.Cancelled, 0, 0},
		"a limit, by its text": {pluginsdk.Cancelled, "", "max run duration exceeded", nil, 0, pluginsdk.Failed, pluginsdk.ClassTimeout, 0},
		"a limit, by the time": {pluginsdk.Cancelled, "", "", timed, 60 * time.Second, pluginsdk.Failed, pluginsdk.ClassTimeout, 0},
	} {
		t.Run(name, func(t *testing.T) {
			run := &runDetails{Start: begin, End: begin.Add(c.lasted)}
			if c.code != "" || c.text != "" {
				run.Error = &runError{}
				run.Error.Error.Code, run.Error.Error.Message = c.code, c.text
			}
			job := &ml.JobBase{Properties: &ml.CommandJob{}}
			if c.job != nil {
				job.Properties = c.job
			}
			s := pluginsdk.Status{Phase: c.phase}
			judge(job, run, &s)
			assert.Equal(t, c.want, s.Phase)
			assert.Equal(t, c.class, s.Class)
			if c.exit != 0 {
				if assert.NotNil(t, s.ExitCode) {
					assert.Equal(t, c.exit, *s.ExitCode)
				}
			} else {
				assert.Nil(t, s.ExitCode)
			}
		})
	}
}

// TestExplain: a quota that a job waits for is told.
func TestExplain(t *testing.T) {
	run := &runDetails{}
	run.Warnings = append(run.Warnings, struct {
		Source  string `json:"source"`
		Message string `json:"message"`
	}{"ComputeTarget", "there is not enough quota for 96 cores"})
	s := pluginsdk.Status{Phase: pluginsdk.Queued}
	explain(run, &s)
	assert.Equal(t, "QuotaExceeded", s.Reason)
	assert.Contains(t, s.Message, "96 cores")
}

// TestTable: every row is read as it was written.
func TestTable(t *testing.T) {
	names := map[string]bool{}
	for _, row := range machines().Types {
		assert.False(t, names[row.Name], row.Name)
		names[row.Name] = true
		assert.Positive(t, row.CPUMillis, row.Name)
		assert.Positive(t, row.MemoryBytes, row.Name)
		assert.Equal(t, row.GPU > 0, row.GPUType != "", row.Name)
		if row.GPU > 0 {
			assert.Contains(t, machines().GPUs, row.GPUType, row.Name)
		}
	}
	assert.True(t, names[defaultSize])
	assert.Equal(t, "Standard_DS3_v2", sized("STANDARD_DS3_V2"))
}
