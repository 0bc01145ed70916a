package main

import (
	"strings"
	"testing"
	"time"

	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/pluginsdk"
)

func TestGPU(t *testing.T) {
	for name, c := range map[string]struct {
		setting string
		r       pluginsdk.Resources
		want    *gpu
		refused string
		warned  bool
	}{
		"none":              {},
		"by resources":      {r: pluginsdk.Resources{GPU: 2, GPUType: "a100-80gb"}, want: &gpu{"A100-80GB", 2}},
		"no type":           {r: pluginsdk.Resources{GPU: 1}, want: &gpu{"T4", 1}},
		"no count":          {r: pluginsdk.Resources{GPUType: "h100"}, want: &gpu{"H100", 1}},
		"not in the table":  {r: pluginsdk.Resources{GPU: 1, GPUType: "b300"}, want: &gpu{"B300", 1}, warned: true},
		"by setting":        {setting: "h100!:4", want: &gpu{"H100!", 4}},
		"both, the same":    {setting: "A10", r: pluginsdk.Resources{GPU: 2, GPUType: "a10g"}, want: &gpu{"A10", 2}},
		"H100! is an H100":  {setting: "H100!", r: pluginsdk.Resources{GPUType: "h100"}, want: &gpu{"H100!", 1}},
		"both, other count": {setting: "A10:3", r: pluginsdk.Resources{GPU: 2}, refused: "asks for 3 GPUs"},
		"both, other type":  {setting: "T4", r: pluginsdk.Resources{GPU: 1, GPUType: "l4"}, refused: "the step's gpu_type is l4"},
		"no number":         {setting: "T4:x", refused: "positive integer"},
	} {
		t.Run(name, func(t *testing.T) {
			b := &built{}
			got, err := b.chooseGPU(Settings{GPU: c.setting}, c.r)
			if c.refused != "" {
				require.ErrorContains(t, err, c.refused)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.warned, len(b.warnings) > 0)
		})
	}
}

func TestTimeout(t *testing.T) {
	for name, c := range map[string]struct {
		setting string
		run     time.Duration
		want    time.Duration
		refused string
	}{
		"neither":      {want: 24 * time.Hour},
		"run":          {run: 90 * time.Minute, want: 90 * time.Minute},
		"rounded up":   {run: 1500 * time.Millisecond, want: 2 * time.Second},
		"the setting":  {setting: "2h", want: 2 * time.Hour},
		"in seconds":   {setting: "3600", want: time.Hour},
		"the shorter":  {setting: "2h", run: time.Hour, want: time.Hour},
		"too long":     {run: 25 * time.Hour, refused: "24h"},
		"too long too": {setting: "25h", refused: "24h"},
		"nothing":      {setting: "0s", refused: "one second"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Settings{Timeout: c.setting}.timeout(pluginsdk.Deadlines{Run: c.run})
			if c.refused != "" {
				require.ErrorContains(t, err, c.refused)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}

// TestJudge: ends that the fake does not play.
func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		result pb.GenericResult_builder
		phase  pluginsdk.Phase
		class  pluginsdk.Class
		reason string
	}{
		"eviction":      {pb.GenericResult_builder{Status: pb.GenericResult_GENERIC_STATUS_MEMORY_MANAGER_EVICTION}, pluginsdk.Failed, pluginsdk.ClassPreempted, "MemoryEviction"},
		"idle":          {pb.GenericResult_builder{Status: pb.GenericResult_GENERIC_STATUS_IDLE_TIMEOUT}, pluginsdk.Failed, pluginsdk.ClassTimeout, "IdleTimeout"},
		"out of memory": {pb.GenericResult_builder{Status: pb.GenericResult_GENERIC_STATUS_FAILURE, Exitcode: 137, Exception: "out of memory"}, pluginsdk.Failed, pluginsdk.ClassUser, "OutOfMemory"},
		"no code":       {pb.GenericResult_builder{Status: pb.GenericResult_GENERIC_STATUS_FAILURE, Exception: "?"}, pluginsdk.Failed, pluginsdk.ClassSystem, "Failure"},
		"a signal":      {pb.GenericResult_builder{Status: pb.GenericResult_GENERIC_STATUS_FAILURE, Exitcode: -15}, pluginsdk.Failed, pluginsdk.ClassUser, "Failure"},
		"init, Modal's": {pb.GenericResult_builder{Status: pb.GenericResult_GENERIC_STATUS_INIT_FAILURE, Exception: "worker failed"}, pluginsdk.Failed, pluginsdk.ClassSystem, "InitFailure"},
		"of tomorrow":   {pb.GenericResult_builder{Status: 99}, pluginsdk.Failed, pluginsdk.ClassSystem, "InternalFailure"},
		"by somebody":   {pb.GenericResult_builder{Status: pb.GenericResult_GENERIC_STATUS_TERMINATED}, pluginsdk.Cancelled, 0, "Terminated"},
		"taken by spot": {pb.GenericResult_builder{Status: pb.GenericResult_GENERIC_STATUS_FAILURE, Exitcode: 1, PropagationReason: "PREEMPTED"}, pluginsdk.Failed, pluginsdk.ClassPreempted, "Preempted"},
		"it ended well": {pb.GenericResult_builder{Status: pb.GenericResult_GENERIC_STATUS_SUCCESS}, pluginsdk.Succeeded, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var st pluginsdk.Status
			judge(c.result.Build(), &st)
			assert.Equal(t, []any{c.phase, c.class, c.reason}, []any{st.Phase, st.Class, st.Reason})
		})
	}
}

func TestTags(t *testing.T) {
	for _, text := range []string{"", "RUN-1", "a b", "ü", "b32.x", strings.Repeat("x", 63)} {
		value := textTag(text)
		assert.Equal(t, fitTag(value), value[:min(len(value), maxTag)], "a tag has no other letters")
		assert.Equal(t, text, fromTextTag(value))
	}
}

// TestIDs: which backend a sandbox is on stands in its ID.
func TestIDs(t *testing.T) {
	for id, want := range map[string]bool{
		"sb-0123456789ABCDEFabcdef": false, "sb-0123456789ABCDEFabcde_": true, "sb-0123": true, "xx-0123456789ABCDEFabcdef": true, "": true,
	} {
		assert.Equal(t, want, newer(id), id)
	}
}
