package pluginsdk

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/reflect/protoreflect"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// odd is no UTF-8, as a name of a file or an environment variable may be.
const odd = "bad\xff"

// oddFlavor says it wherever it can.
type oddFlavor struct {
	bench
}

func (oddFlavor) Plan(context.Context, benchConfig, *Step, bool) (Plan, error) {
	return Plan{Request: odd + strings.Repeat("x", 2*maxText), Format: odd, Notes: []string{odd, strings.Repeat("y", 2*maxText)}}, nil
}

func (oddFlavor) Find(context.Context, benchConfig, Query) (Found, error) {
	return Found{Jobs: []Job{{Handle: Handle{Key: odd, NativeName: odd, URL: odd}, RequestDigest: odd, RunID: odd}}}, nil
}

func (oddFlavor) Logs(_ context.Context, _ benchConfig, _ Handle, _ LogRequest, w *LogWriter) error {
	s := LogSource{Attempt: 1, Container: odd, Stream: odd}
	return errors.Join(w.Gap(s, Gap{Reason: odd}), w.Entry(s, LogEntry{Data: []byte(odd + "\n"), Cursor: odd}))
}

func (oddFlavor) Validate(context.Context, benchConfig, *Step) error {
	return Config("config."+odd, "%s", odd)
}

func TestAnswersAreSound(t *testing.T) {
	f := &oddFlavor{bench{
		onSubmit: func(_ context.Context, _ benchConfig, s *Step) (Handle, error) {
			s.Warn("settings."+odd, "%s", odd)
			return Handle{Data: []byte(odd), NativeName: odd, URL: odd}, nil
		},
		onStatus: func(context.Context, Handle) (Status, error) {
			return Status{Phase: Failed, Reason: odd, Message: odd, NativeState: odd, Signal: odd, URL: odd}, nil
		},
		onCancel: func(context.Context, Handle, CancelOptions) error { return Unreachable(errors.New(odd)) },
	}}
	c := serveTest(t, benchManifest(capPlan, capFind, capLogs, capCancel), RemoteOf[benchConfig](f))
	ctx, target, h := testContext(t), testTarget(""), &operatorv1.Handle{Version: 1, Data: []byte("h")}
	const told = "bad\uFFFD"

	plan, err := c.Plan(ctx, &operatorv1.PlanRequest{Target: target, Step: testStep()})
	require.NoError(t, err)
	assert.Equal(t, told+strings.Repeat("x", 2*maxText), plan.GetRequest(), "it may be long")
	assert.Equal(t, told, plan.GetFormat())
	assert.Equal(t, told, plan.GetNotes()[0])
	assert.Len(t, plan.GetNotes()[1], maxText)

	submitted, err := c.Submit(ctx, &operatorv1.SubmitRequest{Target: target, Step: testStep()})
	require.NoError(t, err)
	assert.Equal(t, told, submitted.GetAccepted().GetNativeName())
	assert.Equal(t, told, submitted.GetAccepted().GetUrl())
	assert.Equal(t, odd, string(submitted.GetAccepted().GetHandle().GetData()), "bytes stay bytes")
	assert.Equal(t, []string{"settings", told}, submitted.GetDiagnostics()[0].GetAttribute())

	found, err := c.Find(ctx, &operatorv1.FindRequest{Target: target, By: &operatorv1.FindRequest_RunToken{RunToken: "t"}})
	require.NoError(t, err)
	assert.Equal(t, told, found.GetJobs()[0].GetRunId())

	end := terminals(collect(t, openWatch(t, c, "", time.Minute)))[0]
	assert.Equal(t, told, end.GetSignal())
	cancelled, err := c.Cancel(ctx, &operatorv1.CancelRequest{Target: target, Key: testKey, Handle: h})
	require.NoError(t, err)
	assert.Equal(t, told, cancelled.GetCouldNotAsk().GetDiagnostic().GetSummary())

	checked, err := c.Validate(ctx, &operatorv1.ValidateRequest{Target: target})
	require.NoError(t, err)
	assert.Equal(t, []string{"config", told}, checked.GetDiagnostics()[0].GetAttribute())

	logs, err := c.Logs(ctx, &operatorv1.LogsRequest{Target: target, Key: testKey, Handle: h})
	require.NoError(t, err)
	m, err := logs.Recv()
	require.NoError(t, err)
	assert.Equal(t, told, m.GetSource().GetStream())
	assert.Equal(t, told, m.GetGap().GetReason())
	if len(m.GetEntries()) == 0 { // it may come with the gap
		m, err = logs.Recv()
		require.NoError(t, err)
	}
	assert.Equal(t, "0:"+told, m.GetEntries()[0].GetCursor())
	assert.Equal(t, odd+"\n", string(m.GetEntries()[0].GetData()))
}

// soundMessage knows no maps, because no answer has one.
func TestNoAnswerHasAMap(t *testing.T) {
	seen := map[protoreflect.FullName]bool{}
	var look func(m protoreflect.MessageDescriptor)
	look = func(m protoreflect.MessageDescriptor) {
		if seen[m.FullName()] {
			return
		}
		seen[m.FullName()] = true
		for i := range m.Fields().Len() {
			f := m.Fields().Get(i)
			assert.False(t, f.IsMap(), f.FullName())
			if f.Message() != nil {
				look(f.Message())
			}
		}
	}
	methods := operatorv1.File_stephost_operator_v1_operator_proto.Services().ByName("StepOperator").Methods()
	for i := range methods.Len() {
		look(methods.Get(i).Output())
	}
}

func BenchmarkSoundLogs(b *testing.B) {
	m := &operatorv1.LogsResponse{Source: LogSource{Attempt: 1, Stream: "stdout"}.proto()}
	for range 2000 {
		m.Entries = append(m.Entries, &operatorv1.LogEntry{Data: make([]byte, 256), Cursor: "0:1"})
	}
	for b.Loop() {
		sound(m)
	}
}
