package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	logtype "google.golang.org/genproto/googleapis/logging/type"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/stephost/stephost/pluginsdk"
)

func TestChooseMachine(t *testing.T) {
	two, three := int32(2), int32(3)
	for name, c := range map[string]struct {
		set   Settings
		asked pluginsdk.Resources
		want  string // machine accelerator count, or the error
	}{
		"nothing":           {want: "n1-standard-4  0"},
		"cpu":               {asked: pluginsdk.Resources{CPUMillis: 6000}, want: "n1-standard-8  0"},
		"memory":            {asked: pluginsdk.Resources{CPUMillis: 4000, MemoryBytes: 20 << 30}, want: "n1-highmem-4  0"},
		"a gpu":             {asked: pluginsdk.Resources{GPU: 1}, want: "n1-highmem-2 NVIDIA_TESLA_T4 1"},
		"kind of gpu":       {asked: pluginsdk.Resources{GPUType: "a100-80gb"}, want: "a2-ultragpu-1g NVIDIA_A100_80GB 1"},
		"three":             {asked: pluginsdk.Resources{GPU: 3, GPUType: "t4"}, want: "n1-highmem-2 NVIDIA_TESLA_T4 4"},
		"register line":     {set: Settings{MachineType: "n1-standard-4", AcceleratorType: "NVIDIA_TESLA_T4"}, want: "n1-standard-4 NVIDIA_TESLA_T4 1"},
		"count":             {set: Settings{MachineType: "n1-standard-4", AcceleratorType: "NVIDIA_TESLA_T4", AcceleratorCount: &two}, want: "n1-standard-4 NVIDIA_TESLA_T4 2"},
		"no such count":     {set: Settings{MachineType: "n1-standard-4", AcceleratorType: "NVIDIA_TESLA_T4", AcceleratorCount: &three}, want: "a n1-standard-4 has 1, 2, 4 of these accelerators, not 3"},
		"mega":              {set: Settings{AcceleratorType: "NVIDIA_H100_MEGA_80GB"}, want: "a3-megagpu-8g NVIDIA_H100_MEGA_80GB 8"},
		"built in":          {set: Settings{MachineType: "g2-standard-8"}, want: "g2-standard-8 NVIDIA_L4 1"},
		"other built in":    {set: Settings{MachineType: "a3-highgpu-1g", AcceleratorType: "NVIDIA_H100_MEGA_80GB"}, want: "a3-highgpu-1g has NVIDIA_H100_80GB built in, not NVIDIA_H100_MEGA_80GB"},
		"new machine":       {set: Settings{MachineType: "z9-standard-4"}, want: "z9-standard-4  0"},
		"new machine, gpu":  {set: Settings{MachineType: "z9-standard-4"}, asked: pluginsdk.Resources{GPU: 2, GPUType: "l4"}, want: "z9-standard-4 NVIDIA_L4 2"},
		"new machine, gpu?": {set: Settings{MachineType: "z9-standard-4"}, asked: pluginsdk.Resources{GPU: 2}, want: "which GPU it has is not known"},
		"no gpu in it":      {set: Settings{MachineType: "e2-standard-4", AcceleratorType: "NVIDIA_TESLA_T4"}, want: "e2-standard-4 has no GPU"},
		"tpu":               {set: Settings{MachineType: "cloud-tpu", AcceleratorType: "TPU_V3", AcceleratorCount: &two}, want: "cloud-tpu TPU_V3 2"},
		"typo":              {set: Settings{AcceleratorType: "NVIDIA_TESLA_T5"}, want: "did you mean NVIDIA_TESLA_T4?"},
		"not on vertex":     {asked: pluginsdk.Resources{GPUType: "a10g"}, want: "no machine type of Vertex AI has a a10g"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := machines().choose(c.set, c.asked)
			if err != nil {
				require.ErrorContains(t, err, c.want)
				return
			}
			assert.Equal(t, c.want, fmt.Sprintf("%s %s %d", got.machineType, got.accelerator, got.count))
		})
	}
}

// TestTableIsOfTheAPI: every accelerator of the table is a value of the API, and
// every value of the API has a kind of GPU or is a TPU.
func TestTableIsOfTheAPI(t *testing.T) {
	for _, row := range machines().Types {
		if row.GPU > 0 {
			require.NoError(t, checkAccelerator(row.Accelerator), "%s", row)
			assert.Equal(t, row.GPUType, gpuOf()[row.Accelerator])
		}
	}
	for _, name := range acceleratorNames() {
		assert.True(t, strings.HasPrefix(name, "TPU_") || gpuOf()[name] != "", "the API has a new accelerator: %s", name)
		assert.Contains(t, string(manifest), `"`+name+`"`, "the manifest warns of names that it does not list")
	}
}

func TestLabels(t *testing.T) {
	s := &pluginsdk.Step{Key: "k", Pipeline: "Örder/1", Labels: map[string]string{"stephost.dev/x": "A b", "9": "x"}}
	got, notes, err := labels(s, Settings{})
	require.NoError(t, err)
	assert.Equal(t, "-rder-1", got[labelPipeline])
	assert.Equal(t, "a-b", got["label-stephost-dev-x"])
	assert.Equal(t, "x", got["label-9"])
	assert.Len(t, notes, 2)
	s.Labels["stephost-dev-x"] = "clash"
	_, _, err = labels(s, Settings{})
	require.ErrorContains(t, err, "another one has that name")
	long := &pluginsdk.Step{Key: strings.Repeat("k", 26), Name: strings.Repeat("ü", 300)}
	assert.Len(t, []rune(displayName(long)), maxDisplay)
	assert.True(t, strings.HasSuffix(displayName(long), " "+long.Key))
}

func TestJudge(t *testing.T) {
	const failed, cancelled = aiplatformpb.JobState_JOB_STATE_FAILED, aiplatformpb.JobState_JOB_STATE_CANCELLED
	for _, c := range []struct {
		state  aiplatformpb.JobState
		code   int32
		text   string
		phase  pluginsdk.Phase
		class  pluginsdk.Class
		reason string
		exit   int
		signal string
	}{
		{failed, 3, "The replica workerpool0-0 exited with a non-zero status of 1. Termination reason: Error.", pluginsdk.Failed, pluginsdk.ClassUser, "NonZeroExit", 1, ""},
		{failed, 3, "The replica master 0 ran out-of-memory and exited with a non-zero status of 9(SIGKILL)", pluginsdk.Failed, pluginsdk.ClassUser, "OutOfMemory", 137, "SIGKILL"},
		{failed, 3, "The replica workerpool0-0 exited with a non-zero status of 128. Termination reason: StartError. Termination log message: failed to create containerd task", pluginsdk.Failed, pluginsdk.ClassConfig, "StartError", 128, ""},
		{failed, 8, "The following quota metrics exceed quota limits: aiplatform.googleapis.com/custom_model_training_nvidia_k80_gpus", pluginsdk.Failed, pluginsdk.ClassCapacity, "QuotaExceeded", -1, ""},
		{failed, 8, "Resources are insufficient in region: us-central1. Please try a different region", pluginsdk.Failed, pluginsdk.ClassCapacity, "ResourcesInsufficient", -1, ""},
		{failed, 13, "Internal error occurred", pluginsdk.Failed, pluginsdk.ClassSystem, "Internal", -1, ""},
		{failed, 7, "Permission denied on the image", pluginsdk.Failed, pluginsdk.ClassConfig, "ImagePullFailed", -1, ""},
		{failed, 4, "too long", pluginsdk.Failed, pluginsdk.ClassTimeout, "Timeout", -1, ""},
		{aiplatformpb.JobState_JOB_STATE_EXPIRED, 0, "", pluginsdk.Failed, pluginsdk.ClassTimeout, "Timeout", -1, ""},
		{cancelled, 0, "", pluginsdk.Cancelled, 0, "", -1, ""},
		{cancelled, 1, "The job timed out", pluginsdk.Failed, pluginsdk.ClassTimeout, "Timeout", -1, ""},
	} {
		st := statusOf(&aiplatformpb.CustomJob{State: c.state, Error: &rpcstatus.Status{Code: c.code, Message: c.text}})
		assert.Equal(t, c.phase, st.Phase, c.text)
		assert.Equal(t, c.class, st.Class, c.text)
		assert.Equal(t, c.reason, st.Reason, c.text)
		assert.Equal(t, c.signal, st.Signal, c.text)
		if c.exit < 0 {
			assert.Nil(t, st.ExitCode, c.text)
		} else {
			require.NotNil(t, st.ExitCode, c.text)
			assert.Equal(t, c.exit, *st.ExitCode, c.text)
		}
	}
	assert.Zero(t, statusOf(&aiplatformpb.CustomJob{State: 99}).Phase, "a state of tomorrow")
}

// entryAt is the n-th line of a stream.
func entryAt(n int, at, received time.Time, stderr bool) *loggingpb.LogEntry {
	severity := logtype.LogSeverity_INFO
	if stderr {
		severity = logtype.LogSeverity_ERROR
	}
	return &loggingpb.LogEntry{
		InsertId: fmt.Sprintf("%06d", n), Timestamp: timestamppb.New(at), ReceiveTimestamp: timestamppb.New(received), Severity: severity,
		Resource: &monitoredres.MonitoredResource{Type: "ml_job", Labels: map[string]string{"task_name": "workerpool0-0"}},
		Payload:  &loggingpb.LogEntry_JsonPayload{JsonPayload: &structpb.Struct{Fields: map[string]*structpb.Value{"message": structpb.NewStringValue(fmt.Sprint("line ", n))}}},
	}
}

// readableAt gives what a question gets at a time: what was received, sorted.
func readableAt(all []*loggingpb.LogEntry, now, received, behind time.Time) []*loggingpb.LogEntry {
	var out []*loggingpb.LogEntry
	for _, e := range all {
		r, at := e.GetReceiveTimestamp().AsTime(), e.GetTimestamp().AsTime()
		if r.After(now) || !received.IsZero() && r.Before(received) && (behind.IsZero() || at.Before(behind)) {
			continue
		}
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b *loggingpb.LogEntry) int {
		return place{a.GetTimestamp().AsTime().UnixNano(), a.InsertId}.compare(place{b.GetTimestamp().AsTime().UnixNano(), b.InsertId})
	})
	return out
}

// TestLateLogs reads a log whose entries become readable late and out of order,
// breaks at random instants, and goes on from the cursors that arrived: each line
// comes exactly once.
func TestLateLogs(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	for range 50 {
		begun := time.Now()
		var all []*loggingpb.LogEntry
		for n := range 200 {
			at := begun.Add(time.Duration(n) * 50 * time.Millisecond)
			late := time.Duration(random.IntN(1500)) * time.Millisecond
			if random.IntN(40) == 0 {
				late = time.Duration(random.IntN(20)) * time.Second
			}
			all = append(all, entryAt(n, at, at.Add(late), n%9 == 0))
		}
		got := map[string]int{}
		cursors := map[string]string{}
		d := handleData{Nodes: 1, Attempt: 1}
		var s *sorter
		skew := time.Duration(random.IntN(4000)-2000) * time.Millisecond // of this machine's clock
		for now := begun; now.Before(begun.Add(45 * time.Second)); now = now.Add(time.Duration(500+random.IntN(1500)) * time.Millisecond) {
			if s == nil {
				s = newSorterOf(d, cursors)
			}
			here := now.Add(skew)
			s.begin(here)
			received, behind := s.bounds()
			for _, e := range readableAt(all, now, received, behind) {
				s.add(e, here)
			}
			lines := s.due(here, false)
			if random.IntN(6) == 0 && len(lines) > 0 { // the host dies behind some of them
				lines = lines[:random.IntN(len(lines))]
				s = nil
			}
			for _, l := range lines {
				got[l.text]++
				cursors[l.source.Name()] = l.cursor
			}
		}
		if s != nil {
			for _, l := range s.due(begun, true) {
				got[l.text]++
			}
		}
		for n := range all {
			assert.Equal(t, 1, got[fmt.Sprint("line ", n)], "line %d, seed %d", n, seed)
		}
		if t.Failed() {
			return
		}
	}
}

// One batch of a writer has one receive time, and a break may fall into what came late
// of it.
func TestABreakWithinABatch(t *testing.T) {
	begun := time.Now()
	at := func(seconds int) time.Time { return begun.Add(time.Duration(seconds) * time.Second) }
	first := entryAt(9, at(9), at(9), false)
	late := []*loggingpb.LogEntry{entryAt(1, at(1), at(20), false), entryAt(2, at(2), at(20), false), entryAt(3, at(2), at(20), false)}
	late[1].InsertId, late[2].InsertId = "a/b~c", "a/b~d%2F"
	after := entryAt(10, at(10), at(20), false)
	for cut := range 5 {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			cursors, got := map[string]string{}, []string{}
			keep := func(lines []line) {
				for _, l := range lines {
					got = append(got, l.text)
					cursors[l.source.Name()] = l.cursor
				}
			}
			d := handleData{Nodes: 1, Attempt: 1}
			s := newSorterOf(d, cursors)
			s.add(first, at(9))
			keep(s.due(at(9), true))
			all := append([]*loggingpb.LogEntry{first}, append(late, after)...)
			for _, e := range all {
				s.add(e, at(20))
			}
			lines := s.due(at(20), true)
			require.Len(t, lines, 4)
			keep(lines[:cut])
			s = newSorterOf(d, cursors) // the host has died
			for _, e := range all {
				s.add(e, at(21))
			}
			keep(s.due(at(21), true))
			assert.Equal(t, []string{"line 9", "line 1", "line 2", "line 3", "line 10"}, got)
		})
	}
}

func newSorterOf(d handleData, cursors map[string]string) *sorter {
	return newSorterFrom(d, func(s pluginsdk.LogSource) string { return cursors[s.Name()] })
}

func TestTextOfEntries(t *testing.T) {
	json := func(fields map[string]any) *loggingpb.LogEntry {
		s, err := structpb.NewStruct(fields)
		require.NoError(t, err)
		return &loggingpb.LogEntry{Payload: &loggingpb.LogEntry_JsonPayload{JsonPayload: s}}
	}
	assert.Equal(t, "plain", textOf(&loggingpb.LogEntry{Payload: &loggingpb.LogEntry_TextPayload{TextPayload: "plain"}}))
	assert.Equal(t, "said", textOf(json(map[string]any{"message": "said", "levelname": "INFO", "attrs": map[string]any{"tag": "workerpool0-0"}})))
	assert.JSONEq(t, `{"loss":0.5,"step":3}`, textOf(json(map[string]any{"loss": 0.5, "step": 3})))
	assert.JSONEq(t, `{"message":"x","loss":0.5}`, textOf(json(map[string]any{"message": "x", "loss": 0.5})))
}
