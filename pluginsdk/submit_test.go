package pluginsdk

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

func TestSubmitOutcomes(t *testing.T) {
	tests := map[string]struct {
		handle Handle
		err    error
		panics bool
		want   string
		class  operatorv1.Class
	}{
		"accepted":            {handle: Handle{Data: []byte("h"), Existing: true, URL: "u", NativeName: "n"}, want: "accepted"},
		"plain error":         {err: errors.New("boom"), want: "uncertain", class: operatorv1.Class_CLASS_SYSTEM},
		"unreachable":         {err: Unreachable(errors.New("dial")), want: "uncertain", class: operatorv1.Class_CLASS_SYSTEM},
		"config, unwrapped":   {err: Config("config.role", "bad"), want: "uncertain", class: operatorv1.Class_CLASS_CONFIG},
		"rejected":            {err: Rejected(errors.New("400")), want: "rejected", class: operatorv1.Class_CLASS_SYSTEM},
		"rejected, capacity":  {err: Rejected(Capacity(errors.New("no node"))), want: "rejected", class: operatorv1.Class_CLASS_CAPACITY},
		"rejected, throttled": {err: Rejected(Throttled(errors.New("429"), time.Second)), want: "not sent", class: operatorv1.Class_CLASS_SYSTEM},
		"rejected, wrapped":   {err: fmt.Errorf("creating: %w", Rejected(Config("", "bad"))), want: "rejected", class: operatorv1.Class_CLASS_CONFIG},
		"rejected inside":     {err: System(Rejected(errors.New("400"))), want: "rejected", class: operatorv1.Class_CLASS_SYSTEM},
		"panic":               {panics: true, want: "uncertain", class: operatorv1.Class_CLASS_SYSTEM},
		"handle too large":    {handle: Handle{Data: make([]byte, maxHandle+1)}, want: "uncertain", class: operatorv1.Class_CLASS_SYSTEM},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			b := &bench{onSubmit: func(_ context.Context, c benchConfig, s *Step) (Handle, error) {
				assert.Equal(t, "http://hive", c.URL)
				assert.Equal(t, "digest", s.RequestDigest)
				assert.Equal(t, "prepared", string(s.Prepared))
				s.Warn("settings.x", "look out")
				if tc.panics {
					panic("boom")
				}
				return tc.handle, tc.err
			}}
			c := serveTest(t, benchManifest("cancel"), RemoteOf[benchConfig](b))
			r, err := c.Submit(testContext(t), &operatorv1.SubmitRequest{
				Target: testTarget(""), Step: testStep(), Prepared: []byte("prepared"), RequestDigest: "digest"})
			require.NoError(t, err)
			got := ""
			switch r.GetOutcome().(type) {
			case *operatorv1.SubmitResponse_Accepted_:
				got = "accepted"
				assert.Equal(t, uint32(1), r.GetAccepted().GetHandle().GetVersion())
				assert.True(t, r.GetAccepted().GetExisting())
			case *operatorv1.SubmitResponse_Rejected_:
				got = "rejected"
			case *operatorv1.SubmitResponse_NotSent_:
				got = "not sent"
			case *operatorv1.SubmitResponse_Uncertain_:
				got = "uncertain"
			}
			assert.Equal(t, tc.want, got)
			var warned bool
			for _, d := range r.GetDiagnostics() {
				if d.GetSeverity() == operatorv1.Severity_SEVERITY_WARNING {
					warned = true
					assert.Equal(t, []string{"settings", "x"}, d.GetAttribute())
					continue
				}
				assert.Equal(t, tc.class, d.GetClass())
			}
			if !strings.Contains(name, "too large") {
				assert.True(t, warned)
			}
		})
	}
}

// A host that goes away must not end a creating call half way.
func TestSubmitOutlivesItsCaller(t *testing.T) {
	entered, ended := make(chan struct{}), make(chan error, 1)
	release := make(chan struct{})
	b := &bench{onSubmit: func(ctx context.Context, _ benchConfig, _ *Step) (Handle, error) {
		close(entered)
		<-release
		ended <- ctx.Err()
		return Handle{}, nil
	}}
	c := serveTest(t, benchManifest("cancel"), RemoteOf[benchConfig](b))
	ctx, cancel := context.WithCancel(testContext(t))
	done := make(chan error, 1)
	go func() {
		_, err := c.Submit(ctx, &operatorv1.SubmitRequest{Target: testTarget(""), Step: testStep()})
		done <- err
	}()
	<-entered
	cancel()
	assert.Equal(t, codes.Canceled, status.Code(<-done))
	close(release)
	assert.NoError(t, <-ended, "the context of Submit is still alive")
}

func TestScopeIsComparedBeforeAnAnswer(t *testing.T) {
	called := false
	b := &scoped{
		bench: bench{
			onSubmit: func(context.Context, benchConfig, *Step) (Handle, error) { called = true; return Handle{}, nil },
			onCancel: func(context.Context, Handle, CancelOptions) error { called = true; return nil },
		},
		onScope: func(context.Context) (Scope, error) { return Scope{ID: "other", Display: "the other"}, nil },
	}
	c := serveTest(t, benchManifest("cancel"), RemoteOf[benchConfig](b))
	s, err := c.Submit(testContext(t), &operatorv1.SubmitRequest{Target: testTarget("home"), Step: testStep()})
	require.NoError(t, err)
	assert.Equal(t, operatorv1.CouldNotAsk_REASON_WRONG_SCOPE, s.GetNotSent().GetCouldNotAsk().GetReason())
	assert.Contains(t, s.GetDiagnostics()[0].GetSummary(), "belongs to home")
	x, err := c.Cancel(testContext(t), &operatorv1.CancelRequest{Target: testTarget("home"), Handle: &operatorv1.Handle{}})
	require.NoError(t, err)
	assert.Equal(t, operatorv1.CouldNotAsk_REASON_WRONG_SCOPE, x.GetCouldNotAsk().GetReason())
	assert.False(t, called)
}

// full has the optional interfaces that the other types lack.
type full struct {
	scoped
	findErr, cleanErr, planErr, prepareErr, preflightErr error
	found                                                Found
	cleaned                                              []What
}

func (f *full) Find(context.Context, benchConfig, Query) (Found, error) { return f.found, f.findErr }

func (f *full) Plan(_ context.Context, _ benchConfig, _ *Step, online bool) (Plan, error) {
	if online {
		return Plan{Request: "role: arn", Format: "yaml"}, f.planErr
	}
	return Plan{Request: "role: " + KnownAtLaunch("the role's ARN"), Format: "yaml", Notes: []string{"gpu"}}, f.planErr
}

func (f *full) Prepare(_ context.Context, _ benchConfig, _ *Step, progress func(string)) (Prepared, error) {
	progress("one")
	progress("two")
	return Prepared{Data: []byte("p"), Resources: []string{"r"}}, f.prepareErr
}

func (f *full) Validate(_ context.Context, _ benchConfig, s *Step) error {
	if s == nil {
		return nil
	}
	return errors.Join(Config("settings.a", "bad a"), Warn("settings.b", "odd b"))
}

func (f *full) Preflight(context.Context, benchConfig, *Step) error { return f.preflightErr }

func (f *full) Cleanup(_ context.Context, _ benchConfig, _ Handle, what What) error {
	f.cleaned = append(f.cleaned, what)
	return f.cleanErr
}

func (f *full) RegistryAuth(_ context.Context, _ benchConfig, r RegistryRequest) (RegistryCredentials, error) {
	if r.Registry != "ours" {
		return RegistryCredentials{}, ErrNotOurs
	}
	return RegistryCredentials{Username: "u", Password: NewSecret("p"), ExpiresAt: time.Unix(9, 0), Created: r.Create}, nil
}

func (f *full) Logs(context.Context, benchConfig, Handle, LogRequest, *LogWriter) error { return nil }

func newFull() *full {
	f := &full{}
	f.onScope = func(context.Context) (Scope, error) { return Scope{ID: "home"}, nil }
	return f
}

var fullCapabilities = []string{"plan", "find", "logs", "cancel", "cleanup", "preflight", "prepare", "registry_auth"}

func TestFind(t *testing.T) {
	tests := map[string]struct {
		found Found
		err   error
		want  operatorv1.FindResponse_Outcome
	}{
		"found":         {found: Found{Jobs: []Job{{Handle: Handle{Data: []byte("h")}, Attempt: 2, Incomplete: true}}}, want: operatorv1.FindResponse_OUTCOME_FOUND},
		"absent":        {want: operatorv1.FindResponse_OUTCOME_ABSENT},
		"undetermined":  {found: Found{Undetermined: true, AskAgainAfter: time.Second}, want: operatorv1.FindResponse_OUTCOME_UNDETERMINED},
		"could not ask": {err: errors.New("boom"), want: operatorv1.FindResponse_OUTCOME_UNSPECIFIED},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFull()
			f.found, f.findErr = tc.found, tc.err
			c := serveTest(t, benchManifest(fullCapabilities...), RemoteOf[benchConfig](f))
			r, err := c.Find(testContext(t), &operatorv1.FindRequest{Target: testTarget("home"), By: &operatorv1.FindRequest_Key{Key: testKey}})
			require.NoError(t, err)
			assert.Equal(t, tc.want, r.GetOutcome())
			assert.Equal(t, tc.err != nil, r.GetCouldNotAsk() != nil)
			for _, j := range r.GetJobs() {
				assert.Equal(t, testKey, j.GetKey())
				assert.True(t, j.GetIncomplete())
			}
		})
	}
}

func TestOptionalCalls(t *testing.T) {
	f := newFull()
	f.preflightErr = Auth(errors.New("expired"))
	c := serveTest(t, benchManifest(fullCapabilities...), RemoteOf[benchConfig](f))
	ctx := testContext(t)

	v, err := c.Validate(ctx, &operatorv1.ValidateRequest{Target: testTarget(""), Step: testStep(), Online: true})
	require.NoError(t, err)
	require.Len(t, v.GetDiagnostics(), 3)
	assert.Equal(t, []string{"settings", "a"}, v.GetDiagnostics()[0].GetAttribute())
	assert.Equal(t, operatorv1.Severity_SEVERITY_WARNING, v.GetDiagnostics()[1].GetSeverity())
	assert.Equal(t, operatorv1.Class_CLASS_AUTH, v.GetDiagnostics()[2].GetClass())
	v, err = c.Validate(ctx, &operatorv1.ValidateRequest{Target: testTarget("")})
	require.NoError(t, err)
	assert.Empty(t, v.GetDiagnostics())

	p, err := c.Plan(ctx, &operatorv1.PlanRequest{Target: testTarget(""), Step: testStep()})
	require.NoError(t, err)
	assert.Equal(t, "role: (known at launch: the role's ARN)", p.GetRequest())

	prepare, err := c.Prepare(ctx, &operatorv1.PrepareRequest{Target: testTarget("home"), Step: testStep()})
	require.NoError(t, err)
	var lines []string
	var done *operatorv1.PrepareResponse_Done
	for {
		m, err := prepare.Recv()
		if err != nil {
			break
		}
		if m.GetProgress() != "" {
			lines = append(lines, m.GetProgress())
		}
		done = m.GetDone()
	}
	assert.Equal(t, []string{"one", "two"}, lines)
	assert.Equal(t, "p", string(done.GetPrepared()))

	r, err := c.RegistryAuth(ctx, &operatorv1.RegistryAuthRequest{Target: testTarget(""), Registry: "ours", Create: true})
	require.NoError(t, err)
	assert.Equal(t, "p", r.GetPassword().GetValue())
	assert.NotContains(t, r.String(), `"p"`)
	r, err = c.RegistryAuth(ctx, &operatorv1.RegistryAuthRequest{Target: testTarget(""), Registry: "theirs"})
	require.NoError(t, err)
	assert.True(t, r.GetNotOurs())

	_, err = c.Cleanup(ctx, &operatorv1.CleanupRequest{Target: testTarget("home"), Handle: &operatorv1.Handle{}, What: operatorv1.CleanupRequest_WHAT_RECORD})
	require.NoError(t, err)
	u, err := c.Cleanup(ctx, &operatorv1.CleanupRequest{Target: testTarget("home"), Handle: &operatorv1.Handle{}})
	require.NoError(t, err)
	assert.NotEmpty(t, u.GetDiagnostics(), "unspecified is never guessed")
	assert.Equal(t, []What{Record}, f.cleaned)
}

func TestAbsentCapabilities(t *testing.T) {
	c := serveTest(t, benchManifest("cancel"), RemoteOf[benchConfig](&bench{}))
	ctx := testContext(t)
	_, err := c.Plan(ctx, &operatorv1.PlanRequest{Target: testTarget(""), Step: testStep()})
	assert.Equal(t, codes.Unimplemented, status.Code(err))
	_, err = c.Find(ctx, &operatorv1.FindRequest{Target: testTarget("")})
	assert.Equal(t, codes.Unimplemented, status.Code(err))
	logs, err := c.Logs(ctx, &operatorv1.LogsRequest{Target: testTarget("")})
	require.NoError(t, err)
	_, err = logs.Recv()
	assert.Equal(t, codes.Unimplemented, status.Code(err))
}

func TestAnotherManifestIsRefused(t *testing.T) {
	c := serveTest(t, benchManifest("cancel"), RemoteOf[benchConfig](&bench{}))
	target := testTarget("")
	target.ManifestDigest = "sha256:other"
	r, err := c.Scope(testContext(t), &operatorv1.ScopeRequest{Target: target})
	require.NoError(t, err)
	require.Nil(t, r.GetResult())
	assert.Contains(t, r.GetDiagnostics()[0].GetSummary(), "flavor bench 1.2.3")
	m, err := c.GetMetadata(testContext(t), &operatorv1.GetMetadataRequest{})
	require.NoError(t, err)
	target.ManifestDigest = m.GetManifestDigest()
	r, err = c.Scope(testContext(t), &operatorv1.ScopeRequest{Target: target})
	require.NoError(t, err)
	assert.NotEmpty(t, r.GetScope().GetId())
}
