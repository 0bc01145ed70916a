package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/plugins/spark/internal/standalone"
	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// api answers as told, and counts creations. What a real master says is seen in
// e2e; this one is for what a real one cannot be made to do.
type api struct {
	*httptest.Server
	created atomic.Int32
	// login is the last header of that kind.
	login atomic.Value
}

func newAPI(t *testing.T, answer func(w http.ResponseWriter, request standalone.Request)) *api {
	a := &api{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/submissions/create" {
			http.NotFound(w, r)
			return
		}
		a.created.Add(1)
		a.login.Store(r.Header.Get("Authorization"))
		var request standalone.Request
		data, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(data, &request)
		answer(w, request)
	}))
	t.Cleanup(a.Close)
	return a
}

func clusterStep(h *harness) *operatorv1.Step {
	work := filepath.Join(h.dir, "work")
	require.NoError(h.t, os.MkdirAll(work, 0o755))
	s := h.step(map[string]any{"deploy_mode": "cluster"}, "train.py", "a\rb", "ü")
	s.Environment.GetDirectory().Venv = ""
	return s
}

// TestLostAnswer: one request in the life of a key; nobody can know what became of
// it, and nobody sends again.
func TestLostAnswer(t *testing.T) {
	h := newHarness(t)
	a := newAPI(t, func(w http.ResponseWriter, _ standalone.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	})
	target := h.target(map[string]any{"master": "spark://m:7077", "rest_url": a.URL, "shared_dir": filepath.Join(h.dir, "shared")})
	s := clusterStep(h)
	require.NotNil(t, h.submit(target, s).GetUncertain())
	for range 2 {
		require.Equal(t, operatorv1.FindResponse_OUTCOME_UNDETERMINED, h.find(target).Outcome)
		require.NotNil(t, h.submit(target, s).GetUncertain())
	}
	assert.EqualValues(t, 1, a.created.Load())
}

// TestAnswered: what is known about a request of the key once nobody waits for its
// answer. Who finds it so sends nothing, and waits for nobody.
func TestAnswered(t *testing.T) {
	state := jobdir.At(t.TempDir())
	job, err := state.Job(key)
	require.NoError(t, err)
	_, _, err = state.Create(job, jobdir.Meta{RunToken: "token"})
	require.NoError(t, err)
	_, err = answered(job)
	require.ErrorContains(t, err, "before it sent anything")
	require.NoError(t, job.PutRecord(restRecord, driver{REST: "http://m:6066"}))
	_, err = answered(job)
	require.ErrorContains(t, err, "before it sent anything")
	require.NoError(t, state.MarkStarted(job, jobdir.Started{}))
	_, err = answered(job)
	require.ErrorContains(t, err, "its answer was lost")
	require.NoError(t, job.PutRecord(driverRecord, driver{ID: "driver-1"}))
	h, err := answered(job)
	require.NoError(t, err)
	assert.Equal(t, "driver-1", h.NativeName)
}

// TestResolved: a person names the driver of a request whose answer was lost.
func TestResolved(t *testing.T) {
	state := jobdir.At(t.TempDir())
	job, err := state.Job(key)
	require.NoError(t, err)
	_, _, err = state.Create(job, jobdir.Meta{RunToken: "token"})
	require.NoError(t, err)
	word := func(driver string) error {
		got, err := jobOf(state, pluginsdk.Handle{Data: fmt.Appendf(nil, `{"key":%q,"driver":%q}`, key, driver)})
		if err == nil {
			assert.Equal(t, job, got)
		}
		return err
	}
	require.ErrorContains(t, word("driver-1"), "nothing was sent")
	require.NoError(t, job.PutRecord(restRecord, driver{REST: "http://m:6066", Shared: "/shared"}))
	for range 2 {
		require.NoError(t, word("driver-1"))
	}
	d, is, err := driverOf(job)
	require.NoError(t, err)
	assert.True(t, is)
	assert.Equal(t, driver{ID: "driver-1", REST: "http://m:6066", Shared: "/shared"}, d)
	require.ErrorContains(t, word("driver-2"), "has made driver-1")
	require.NoError(t, word(""), "a handle as the plugin makes it")
}

// TestRefusedByTheMaster: an answer that says no leaves nothing behind.
func TestRefusedByTheMaster(t *testing.T) {
	h := newHarness(t)
	a := newAPI(t, func(w http.ResponseWriter, _ standalone.Request) {
		_, _ = io.WriteString(w, `{"action":"CreateSubmissionResponse","success":false,"message":"no drivers today"}`)
	})
	target := h.target(map[string]any{"master": "spark://m:7077", "rest_url": a.URL, "shared_dir": filepath.Join(h.dir, "shared")})
	r := h.submit(target, clusterStep(h))
	require.NotNil(t, r.GetRejected(), "%v", r)
	assert.Contains(t, r.Diagnostics[0].Summary+r.Diagnostics[0].Detail, "no drivers today")
	assert.Equal(t, operatorv1.FindResponse_OUTCOME_ABSENT, h.find(target).Outcome)
}

// TestNotSent: a master that nobody reaches was not asked; the same request goes
// later.
func TestNotSent(t *testing.T) {
	h := newHarness(t)
	a := newAPI(t, func(w http.ResponseWriter, r standalone.Request) {
		assert.Equal(t, "hunter2", r.EnvironmentOf["TOKEN"])
		_, _ = io.WriteString(w, `{"action":"CreateSubmissionResponse","success":true,"submissionId":"driver-1"}`)
	})
	s := clusterStep(h)
	s.Secrets, s.AllowVisibleSecrets = map[string]*operatorv1.Secret{"TOKEN": {Value: "hunter2"}}, true
	dead := h.target(map[string]any{"master": "spark://m:7077", "rest_url": "http://127.0.0.1:1", "shared_dir": filepath.Join(h.dir, "shared")})
	require.NotNil(t, h.submit(dead, s).GetNotSent())
	target := h.target(map[string]any{"master": "spark://m:7077", "rest_url": a.URL, "rest_token": "t0ken", "shared_dir": filepath.Join(h.dir, "shared")})
	first, second := h.submit(target, s).GetAccepted(), h.submit(target, s).GetAccepted()
	require.NotNil(t, first)
	assert.Equal(t, "driver-1", first.NativeName)
	assert.Equal(t, "Bearer t0ken", a.login.Load())
	assert.False(t, first.Existing)
	assert.True(t, second.GetExisting())
	assert.EqualValues(t, 1, a.created.Load())
	found := h.find(target)
	require.Len(t, found.Jobs, 1)
	assert.Equal(t, "driver-1", found.Jobs[0].NativeName)
	assert.Equal(t, operatorv1.Phase_PHASE_RUNNING, found.Jobs[0].Phase)
}

// TestReady: no letter is cut, whatever the worker shows of it.
func TestReady(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		size int64
		over bool
		want string
		took int64
	}{
		"lines":                   {"a\nü\n", 5, false, "a\nü\n", 5},
		"a line that goes on":     {"a\nbc", 4, false, "a\n", 2},
		"a letter that is cut":    {"ü\nb\ufffd", 5, false, "ü\n", 3},
		"no line yet":             {"ab", 2, false, "", 0},
		"no line, a cut letter":   {"a\ufffd", 2, false, "", 0},
		"the end of the log":      {"ab", 2, true, "ab", 2},
		"a chunk without a line":  {"ab", logChunk, false, "ab", logChunk},
		"what is no text":         {"a\ufffd\nb", 4, false, "a\ufffd\nb", 4},
		"a letter that is U+FFFD": {"\ufffd\nb", 5, false, "\ufffd\n", 4},
		"nothing":                 {"", 0, false, "", 0},
		"nothing, and it is over": {"", 0, true, "", 0},
	} {
		text, took := ready([]byte(c.text), c.size, c.over)
		assert.Equal(t, c.want, string(text), name)
		assert.Equal(t, c.took, took, name)
	}
}

func TestJudge(t *testing.T) {
	for state, want := range map[string]struct {
		phase   pluginsdk.Phase
		exit    string
		class   string
		message string
	}{
		"SUBMITTED": {phase: pluginsdk.Queued}, "RUNNING": {phase: pluginsdk.Running}, "RELAUNCHING": {phase: pluginsdk.Provisioning},
		"UNKNOWN": {phase: pluginsdk.Running}, "A NEW ONE": {},
		"FINISHED": {exit: jobdir.Succeeded}, "FAILED": {exit: jobdir.Failed, class: jobdir.ClassUser}, "ERROR": {exit: jobdir.Lost, class: jobdir.ClassLost, message: "may still run"},
		"KILLED": {exit: jobdir.Cancelled, class: jobdir.ClassCancelled}, "": {exit: jobdir.Lost, class: jobdir.ClassLost},
	} {
		status, exit := judge(standalone.Driver{State: state}, false)
		if want.exit == "" {
			require.Nil(t, exit, state)
			assert.Equal(t, want.phase, status.Phase, state)
			continue
		}
		require.NotNil(t, exit, state)
		assert.Equal(t, want.exit, exit.Phase, state)
		assert.Equal(t, want.class, exit.Class, state)
		assert.Contains(t, exit.Message, want.message, state)
	}
	_, exit := judge(standalone.Driver{State: "ERROR", Message: "Exception from the cluster:\njava.io.IOException"}, false)
	require.NotNil(t, exit)
	assert.Equal(t, jobdir.ClassSystem, exit.Class, "the worker itself says that it could not run it")
}
