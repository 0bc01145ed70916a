package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/pluginsdk"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/cloudtest"
)

// TestAppOf: any project has an app, and no two have one.
func TestAppOf(t *testing.T) {
	valid := regexp.MustCompile(`^[A-Za-z0-9_.-]{1,63}$`)
	long := strings.Repeat("n", 54)
	for project, want := range map[string]string{
		"": "stephost", "digits": "stephost-digits", "Digits_v2.1": "stephost-Digits_v2.1", long: "stephost-" + long,
		"digits v2": "stephost-digits-v2-", "/digits": "stephost-digits-", "日本": "stephost-", long + "n": "stephost-" + long[:43] + "-", strings.Repeat("ü", 128): "stephost-",
	} {
		got := appOf(project)
		assert.Regexp(t, valid, got)
		assert.True(t, isOwn(got), got)
		if strings.HasSuffix(want, "-") {
			assert.Regexp(t, "^"+regexp.QuoteMeta(want)+"[a-z2-7]{10}$", got)
		} else {
			assert.Equal(t, want, got)
		}
	}
	seen := map[string]string{}
	for _, project := range []string{"a b", "a-b", "a/b", "a  b", "a b ", "日", "日本", "", " ", long + "a", long + "b", long} {
		app := appOf(project)
		assert.Empty(t, seen[app], "%q and %q have one app", project, seen[app])
		seen[app] = "another: " + project
	}
	for app, own := range map[string]bool{"stephost": true, "stephost-x": true, "stephosting": false, "production": false, "": false} {
		assert.Equal(t, own, isOwn(app), app)
	}
}

// in makes h's operator, which names no app, one of a project.
func (h *harness) in(project string) *operatorv1.Target {
	h.T.Helper()
	target := h.TargetOf(operator())
	target.Project = project
	scope, err := h.Plugin.Scope(h.Ctx(), &operatorv1.ScopeRequest{Target: target})
	require.NoError(h.T, err)
	require.NotEmpty(h.T, scope.GetScope().GetId(), "%v", scope)
	target.Scope = scope.GetScope()
	return target
}

// appName is that of the app that a sandbox is in.
func (h *harness) appName(key string) string {
	h.T.Helper()
	told := h.told(key)
	var request struct {
		App string `json:"app_id"`
	}
	require.NoError(h.T, json.Unmarshal(told.Request, &request))
	return told.Names[request.App]
}

// TestProjects: two projects with one operator have two apps, and what one of them
// does befalls the other's in nothing.
func TestProjects(t *testing.T) {
	h := newHarness(t)
	digits, letters := h.in("digits"), h.in("letters")
	assert.Equal(t, "modal:ac-fake-workspace:main:stephost-digits", digits.Scope.Id)
	assert.Contains(t, digits.Scope.Display, "app stephost-digits")
	for _, backend := range backends() {
		t.Run(backend, func(t *testing.T) {
			ones, twos := h.on(backend, h.Step("digits "+backend, "sleep 600")), h.on(backend, h.Step("letters "+backend, "echo hello"))
			h.Target = digits
			one := h.Accepted(ones)
			h.Target = letters
			two := h.Accepted(twos)
			assert.Equal(t, "app/main/stephost-digits", h.appName(ones.Key))
			assert.Equal(t, "app/main/stephost-letters", h.appName(twos.Key))
			assert.Len(t, h.FindKey(twos.Key).Jobs, 1)
			assert.Equal(t, operatorv1.FindResponse_OUTCOME_ABSENT, h.FindKey(ones.Key).Outcome, "a key is asked for in its run's project")
			assert.True(t, h.Submit(twos).GetAccepted().GetExisting())
			end, _ := h.Watch(twos.Key, two)
			assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase)
			streams, _ := h.Logs(twos.Key, two, nil)
			assert.Equal(t, "hello\n", streams["1/0/0/step/stdout"].String())
			assert.Equal(t, operatorv1.CouldNotAsk_REASON_WRONG_SCOPE, func() operatorv1.CouldNotAsk_Reason {
				h.Target = h.in("digits")
				h.Target.Scope = letters.Scope
				return h.Cancel(twos.Key, two).GetCouldNotAsk().GetReason()
			}(), "the scope that was stored is the project's")
			h.Target = digits
			require.NotNil(t, h.Cancel(ones.Key, one).GetAccepted())
			end, _ = h.Watch(ones.Key, one)
			assert.Equal(t, operatorv1.Phase_PHASE_CANCELLED, end.Phase)
		})
	}
	// The app of one is stopped while something runs in the other's.
	h.Target = letters
	other := h.Step("still runs", "sleep 600")
	running := h.Accepted(other)
	require.NoError(t, h.Set(h.Ctx(), "age_ms", "90000000"))
	record := func(token string) {
		found := h.FindToken(token)
		require.Len(t, found.Jobs, 1, "%v", found)
		assert.Empty(t, h.cleanup(h.Step(token, ""), found.Jobs[0].Handle, operatorv1.CleanupRequest_WHAT_RECORD).Diagnostics)
	}
	record("letters v2")
	assert.Zero(t, h.Counted()["AppStop"], "something runs in it")
	h.Target = digits
	record("digits v2")
	assert.Equal(t, 1, h.Counted()["AppStop"])
	h.Target = letters
	assert.Len(t, h.FindKey(other.Key).Jobs, 1)
	h.Cancel(other.Key, running)
	h.Watch(other.Key, running)
}

// TestTokenFromAnywhere: a run token is found from another project, from none, from
// one that was renamed, and in the app that all runs had once; and what is found can
// be watched, read, cancelled and cleaned up from there. An operator that names its
// app looks into that one alone.
func TestTokenFromAnywhere(t *testing.T) {
	h := newHarness(t)
	for made, from := range map[string][]string{"digits": {"digits", "", "numbers"}, "": {"", "digits"}} {
		for _, project := range from {
			t.Run("of "+made+" from "+project, func(t *testing.T) {
				h.Target = h.in(made)
				up := filepath.Join(t.TempDir(), "up")
				s := h.on("v1", h.Step("token "+made+" from "+project, "echo hello; touch "+up+"; sleep 600"))
				s.Secrets = map[string]*operatorv1.Secret{"HF_TOKEN": {Value: "hunter2"}}
				h.Accepted(s)
				h.Target = h.in(project)
				found := h.FindToken(s.RunToken)
				require.Len(t, found.Jobs, 1, "%v", found)
				handle := found.Jobs[0].Handle
				assert.Equal(t, s.Key, found.Jobs[0].Key)
				require.Eventually(t, func() bool { _, err := os.Stat(up); return err == nil }, cloudtest.Hang, 10*time.Millisecond)
				require.NotNil(t, h.Cancel(s.Key, handle).GetAccepted())
				end, _ := h.Watch(s.Key, handle)
				assert.Equal(t, operatorv1.Phase_PHASE_CANCELLED, end.Phase)
				streams, _ := h.Logs(s.Key, handle, nil)
				assert.Equal(t, "hello\n", streams["1/0/0/step/stdout"].String())
				require.True(t, h.own(s))
				assert.Empty(t, h.cleanup(s, handle, operatorv1.CleanupRequest_WHAT_LEFTOVERS).Diagnostics)
				assert.False(t, h.own(s))
				d, err := readHandle(pluginsdk.Handle{Data: handle.Data})
				require.NoError(t, err)
				assert.Equal(t, appOf(made), d.AppName, "whoever removes the record stops this app")
			})
		}
	}
	t.Run("attempts in two apps", func(t *testing.T) {
		var keys []string
		for i, project := range []string{"digits", "numbers"} {
			h.Target = h.in(project)
			s := h.Step("two", "true")
			s.Attempt, s.Key = int32(i+1), cloudtest.KeyOf("two", i+1)
			h.Accepted(s)
			keys = append(keys, s.Key)
		}
		h.Target = h.in("digits")
		var found []string
		for _, j := range h.FindToken("two").Jobs {
			found = append(found, j.Key)
		}
		assert.ElementsMatch(t, keys, found)
	})
	t.Run("a named app", func(t *testing.T) {
		h.Target = h.in("digits")
		s := h.Step("named", "true")
		h.Accepted(s)
		explicit := h.TargetOf(operator("app", "production"))
		explicit.Project = "digits"
		h.Target = explicit
		assert.Equal(t, operatorv1.FindResponse_OUTCOME_ABSENT, h.FindToken("named").Outcome)
		n := h.Step("explicit", "true")
		h.Accepted(n)
		assert.Equal(t, "app/main/production", h.appName(n.Key))
		assert.Len(t, h.FindToken("explicit").Jobs, 1)
		h.Target = h.in("digits")
		assert.Equal(t, operatorv1.FindResponse_OUTCOME_ABSENT, h.FindToken("explicit").Outcome, "an app with another name is not stephost's")
	})
	t.Run("could not ask", func(t *testing.T) {
		h.Rule("AppList", 0, cloudfake.Fault{Kind: cloudfake.Internal})
		assert.Equal(t, operatorv1.CouldNotAsk_REASON_UNREACHABLE, h.FindToken("named").GetCouldNotAsk().GetReason(), "not all apps were asked: that is no ABSENT")
		require.NoError(t, h.Clear(h.Ctx()))
		h.Rule("SandboxListV2", 0, cloudfake.Fault{Kind: cloudfake.Internal})
		assert.Equal(t, operatorv1.CouldNotAsk_REASON_UNREACHABLE, h.FindToken("nobody's").GetCouldNotAsk().GetReason())
	})
}

// TestPlanShowsTheApp, also where there is no project.
func TestPlanShowsTheApp(t *testing.T) {
	h := newHarness(t)
	for project, want := range map[string][]string{
		"digits": {`"app": "stephost-digits"`, "the ID of the app stephost-digits"},
		"":       {`"app": "stephost"`, "the ID of the app stephost)"},
	} {
		target := h.TargetOf(operator())
		target.Project = project
		plan, err := h.Plugin.Plan(h.Ctx(), &operatorv1.PlanRequest{Target: target, Step: h.Step("plan", "true")})
		require.NoError(t, err)
		require.Empty(t, plan.Diagnostics)
		for _, text := range want {
			assert.Contains(t, plan.Request, text)
		}
		assert.Equal(t, project != "", strings.Contains(strings.Join(plan.Notes, "\n"), "project digits -> app stephost-digits"), "%q", plan.Notes)
		assert.Empty(t, h.Doctor(h.Step("doctor", "true")))
	}
	assert.Zero(t, h.Counted()["SandboxCreateV2"])
}
