//go:build unix

package cloudfake_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stephost/stephost/test/cloudfake"
)

// hang is longer than anything here takes, on any machine.
const hang = time.Minute

// asFake makes the test's own binary a fake.
const asFake = "STEPHOST_TEST_FAKE"

func TestMain(m *testing.M) {
	if os.Getenv(asFake) != "" {
		cloudfake.Main(open)
		return
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/stephost/stephost/test/cloudfake.init.func1.1"))
}

// open is a service with one operation: POST /run starts the body as a command.
func open(_ context.Context, dir string) (*cloudfake.Service, error) {
	runner, plan := &cloudfake.Runner{}, &cloudfake.Plan{}
	var started atomic.Int64
	var last atomic.Pointer[cloudfake.Process]
	refuse := func(w http.ResponseWriter, f cloudfake.Fault) {
		http.Error(w, string(f.Kind), http.StatusServiceUnavailable)
	}
	return &cloudfake.Service{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			plan.Serve(w, r, body, "Run", []string{string(body)}, refuse, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				p, err := runner.Start(filepath.Join(dir, "job"), cloudfake.Command{Argv: []string{"sh", "-c", string(body)}})
				if err != nil {
					http.Error(w, err.Error(), http.StatusInternalServerError)
					return
				}
				started.Add(1)
				last.Store(p)
				_ = json.NewEncoder(w).Encode(p.PID())
			})
		}),
		Admin: &cloudfake.Admin{Plan: plan, Delete: func(string) error { return nil }, Jobs: func() []cloudfake.Job {
			return []cloudfake.Job{{Name: "last", Key: "k", Starts: int(started.Load()), PIDs: []int{last.Load().PID()}}}
		}},
		Endpoints: map[string]string{"other": "x"},
		Close:     runner.Close,
	}, nil
}

func run(t *testing.T, c cloudfake.Command) *cloudfake.Process {
	r := &cloudfake.Runner{}
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	p, err := r.Start(t.TempDir(), c)
	require.NoError(t, err)
	return p
}

func wait(t *testing.T, p *cloudfake.Process) cloudfake.Exit {
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	e, err := p.Wait(ctx)
	require.NoError(t, err)
	return e
}

func TestArgvAndEnv(t *testing.T) {
	nasty := []string{"$(HOME)", "$$", "${{x}}", "a\rb", "a\nb", `"'\`, "", strings.Repeat("x", 10_000)}
	p := run(t, cloudfake.Command{Argv: append([]string{"sh", "-c", `for a; do printf '%s|' "$a"; done; echo "$V" >&2; pwd`, "sh"}, nasty...), Env: map[string]string{"V": "1 2"}})
	require.Equal(t, 0, wait(t, p).Code)
	out, err := os.ReadFile(p.Path("stdout"))
	require.NoError(t, err)
	assert.Equal(t, strings.Join(nasty, "|")+"|"+p.Path("work")+"\n", string(out))
	lines, err := p.Lines(0, 100)
	require.NoError(t, err)
	var of []string
	for _, l := range lines {
		of = append(of, l.Stream)
		assert.WithinDuration(t, time.Now(), l.Time, hang)
	}
	assert.Contains(t, of, "stderr")
}

func TestExits(t *testing.T) {
	assert.Equal(t, 7, wait(t, run(t, cloudfake.Command{Argv: []string{"sh", "-c", "exit 7"}})).Code)
	assert.Equal(t, "SIGKILL", wait(t, run(t, cloudfake.Command{Argv: []string{"sh", "-c", "kill -9 $$"}})).Signal)
	missing := run(t, cloudfake.Command{Argv: []string{"no-such-command"}})
	assert.Equal(t, 127, wait(t, missing).Code)
	text, err := os.ReadFile(missing.Path("stderr"))
	require.NoError(t, err)
	assert.Contains(t, string(text), "no-such-command")
}

func TestLongAndOpenLines(t *testing.T) {
	p := run(t, cloudfake.Command{Argv: []string{"printf", `123456789\n12345\n\n123`}, MaxLine: 5})
	wait(t, p)
	lines, err := p.Lines(0, 100)
	require.NoError(t, err)
	got := []string{}
	cut := []bool{}
	for _, l := range lines {
		got, cut = append(got, string(l.Data)), append(cut, l.Cut)
	}
	assert.Equal(t, []string{"12345", "6789", "12345", "", "123"}, got)
	assert.Equal(t, []bool{true, false, false, false, true}, cut)
	rest, err := p.Lines(4, 100)
	require.NoError(t, err)
	assert.Equal(t, "123", string(rest[0].Data))
}

func TestEndIsPoliteFirst(t *testing.T) {
	p := run(t, cloudfake.Command{Argv: []string{"sh", "-c", `trap 'echo asked; exit 3' TERM; echo ready; while :; do sleep 0.05; done`}})
	ready(t, p)
	p.End(hang)
	assert.Equal(t, 3, wait(t, p).Code)

	stubborn := run(t, cloudfake.Command{Argv: []string{"sh", "-c", `trap '' TERM; echo ready; sleep 3600 & wait; sleep 3600`}})
	ready(t, stubborn)
	stubborn.End(50 * time.Millisecond)
	assert.Equal(t, "SIGKILL", wait(t, stubborn).Signal)
}

func ready(t *testing.T, p *cloudfake.Process) {
	require.Eventually(t, func() bool {
		lines, err := p.Lines(0, 1)
		return err == nil && len(lines) == 1
	}, hang, time.Millisecond)
}

func TestRulesAndLives(t *testing.T) {
	p := &cloudfake.Plan{}
	p.Add(cloudfake.Rule{Op: "Create*", Match: "job", After: 1, Times: 2, Fault: cloudfake.Fault{Kind: cloudfake.Throttled}})
	hit := func(op string, about ...string) bool { return p.Call(op, about...) != nil }
	assert.False(t, hit("CreateJob", "my-job"))
	assert.True(t, hit("CreateJob", "my-job"))
	assert.False(t, hit("CreateJob", "other"))
	assert.False(t, hit("Describe", "my-job"))
	assert.True(t, hit("CreateThing", "my-job"))
	assert.False(t, hit("CreateJob", "my-job"))
	assert.Equal(t, map[string]int{"CreateJob": 4, "CreateThing": 1, "Describe": 1}, p.Calls())

	p.AddLife(cloudfake.LifeRule{Life: cloudfake.Life{QueuedMS: 1}})
	p.AddLife(cloudfake.LifeRule{Match: "tok", Times: 1, Life: cloudfake.Life{NoCapacity: true}})
	assert.True(t, p.LifeOf("name", "token").NoCapacity)
	assert.Equal(t, 1, p.LifeOf("name", "token").QueuedMS)
	p.Clear()
	assert.Zero(t, p.LifeOf("name", "token"))
}

func start(t *testing.T) *cloudfake.Fake {
	t.Setenv(asFake, "1")
	f, err := cloudfake.Start(t.Context(), os.Args[0], t.TempDir())
	require.NoError(t, err)
	return f
}

func post(t *testing.T, f *cloudfake.Fake, script string) (string, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Post(f.URL+"/run", "text/plain", strings.NewReader(script))
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return strings.TrimSpace(string(text)), nil
}

func TestFaultsOverHTTP(t *testing.T) {
	f := start(t)
	assert.Equal(t, "x", f.Endpoints["other"])
	starts := func() int {
		jobs, err := f.ByKey(t.Context(), "k")
		require.NoError(t, err)
		require.Len(t, jobs, 1)
		return jobs[0].Starts
	}
	_, err := post(t, f, "true")
	require.NoError(t, err)
	rule := func(k cloudfake.Kind, delay int) {
		require.NoError(t, f.Add(t.Context(), cloudfake.Rule{Op: "Run", Times: 1, Fault: cloudfake.Fault{Kind: k, DelayMS: delay}}))
	}
	rule(cloudfake.Internal, 0)
	said, err := post(t, f, "true")
	require.NoError(t, err)
	assert.Equal(t, "internal", said)
	assert.Equal(t, 1, starts())
	rule(cloudfake.Drop, 0)
	_, err = post(t, f, "true")
	require.Error(t, err)
	assert.Equal(t, 1, starts())
	rule(cloudfake.ReplyLost, 0)
	_, err = post(t, f, "true")
	require.Error(t, err)
	assert.Equal(t, 2, starts())
	rule(cloudfake.LandsLate, 20)
	_, err = post(t, f, "true")
	require.Error(t, err)
	require.Eventually(t, func() bool { return starts() == 3 }, hang, time.Millisecond)
	rule(cloudfake.Slow, 30)
	at := time.Now()
	_, err = post(t, f, "true")
	require.NoError(t, err)
	assert.GreaterOrEqual(t, time.Since(at), 30*time.Millisecond)
	calls, err := f.Calls(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"Run": 6}, calls)
	require.ErrorContains(t, f.Set(t.Context(), "account", "x"), "nothing to set")
	require.NoError(t, f.Clear(t.Context()))
	require.NoError(t, f.Restart(t.Context()))
	require.NoError(t, f.Stop())
}

func TestNothingOutlivesAFake(t *testing.T) {
	for name, end := range map[string]func(*cloudfake.Fake){
		"told":   func(f *cloudfake.Fake) { require.NoError(t, f.Stop()) },
		"killed": func(f *cloudfake.Fake) { f.Kill(); f.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			if name == "killed" && !tied() {
				t.Log("this system does not end children with their parent: nothing to see here")
				return
			}
			f := start(t)
			text, err := post(t, f, "exec sleep 3600")
			require.NoError(t, err)
			var pid int
			require.NoError(t, json.Unmarshal([]byte(text), &pid))
			end(f)
			require.Eventually(t, func() bool { return gone(pid) }, hang, time.Millisecond)
		})
	}
}

// gone tells whether a process is over; in a container whose first process reaps
// nobody it stays as a zombie.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return syscall.Kill(pid, 0) != nil || err == nil && strings.Contains(string(stat), ") Z ")
}
