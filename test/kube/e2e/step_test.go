package e2e

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStep(t *testing.T) {
	l := newLab(t)
	e := l.launch("--env", "A=$(HOME) $$x", "--", "sh", "-c", `echo out; echo "$A"; echo "attempt $STEPHOST_ATTEMPT"; exit 0`)
	require.Equal(t, 0, e.code, e.stderr)
	assert.Equal(t, "succeeded", e.Class)
	assert.Equal(t, "out\n$(HOME) $$x\nattempt 1\n", e.stdout)
	assert.Len(t, l.names("jobs"), 1, "the Job stays: it is the proof of how the run ended")
}

func TestExitCode(t *testing.T) {
	e := newLab(t).launch("--", "sh", "-c", "echo bad >&2; exit 7")
	assert.Equal(t, 7, e.code, e.stderr)
	assert.Equal(t, "user", e.Class)
	require.NotNil(t, e.ExitCode)
	assert.Equal(t, 7, *e.ExitCode)
	assert.Contains(t, e.stdout+e.stderr, "bad")
}

func TestOutOfMemory(t *testing.T) {
	e := newLab(t).launch("--memory", "32MiB", "--", "sh", "-c", "echo eat; tail /dev/zero")
	assert.Equal(t, "user", e.Class, "it would happen again")
	assert.Contains(t, e.Reason+e.Message, "OOM", e.stderr)
	assert.Equal(t, 137, e.code)
}

// TestUnschedulable: no node has a thousand processors. The scheduler's own words
// arrive (within two seconds on a quiet machine: the log says it), and the run ends
// when its time for provisioning is over.
func TestUnschedulable(t *testing.T) {
	l := newLab(t)
	begin := time.Now()
	p := l.start("--cpu", "1000", "--timeout-provisioning", "15s", "--", "true")
	p.sees("submitting")
	why := p.sees("Insufficient cpu")
	t.Logf("the reason is shown %s after submitting began, %s after the command was started", why, time.Since(begin))
	e := p.wait()
	took := time.Since(begin)
	assert.Less(t, 15*time.Second, took)
	assert.Contains(t, []string{"capacity", "timeout"}, e.Class, e.Message)
	assert.Contains(t, e.Message+e.stderr, "Insufficient cpu")
	assert.Empty(t, l.names("pods"), "nothing waits any longer")
}

// TestBadImage: an image that is nowhere is not even sent. One that the node
// alone cannot pull has the runtime's reason, and nobody waits for the
// provisioning timeout.
func TestBadImage(t *testing.T) {
	l := newLab(t)
	bad := l.c.Registry + "/no/such@sha256:" + strings.Repeat("0", 64)
	e := l.launch("--image", bad, "--", "true")
	assert.Equal(t, "config", e.Class, e.Message)
	assert.Contains(t, e.Message+e.stderr, "there is no image "+bad)
	assert.Empty(t, l.names("jobs"))

	e = l.launch("--image", l.broken("broken"), "--timeout-provisioning", "3m", "--", "true")
	assert.Equal(t, "config", e.Class, e.Message)
	assert.Contains(t, e.Reason+e.Message, "ImagePull")
	assert.Contains(t, e.Message+e.stderr, "/broken@sha256:")
	assert.Empty(t, l.names("pods"), "nobody tries any longer")

	ref, _ := l.strange("elsewhere")
	e = l.launch("--image", ref, "--set", "image_pull_policy=Never", "--", "true")
	assert.Equal(t, "config", e.Class, e.Message)
	assert.Contains(t, e.Reason+e.Message, "ErrImageNeverPull")
}

// TestBadProgram: the runtime's own words name what it did not find.
func TestBadProgram(t *testing.T) {
	e := newLab(t).launch("--", "/no/such/program")
	assert.NotEqual(t, 0, e.code)
	assert.Contains(t, []string{"user", "config"}, e.Class)
	assert.Contains(t, e.Message+e.stderr, "/no/such/program")
}

// nasty are arguments that Kubernetes, a shell or YAML would change.
func nasty() []string {
	return []string{
		"plain", "", " two  words ", `"double" 'single'`, "$(HOME)", "$(STEPHOST_RUN)", "$$(HOME)", "$HOME ${HOME} `id`", "a$$b$$$$c", "${{inputs.x}}", "{{.x}}",
		"tab\tnewline\nreturn\rend", "*?[a-z]", "--flag=value", "-", "\\back\\slash\\", "a;b&&c|d>e", "ümläut ☃", "%s%d%%", "!x #y", "yes", "0x10", "~",
		strings.Repeat("0123456789", 1000),
	}
}

func TestNastyArguments(t *testing.T) {
	script := `for a; do printf %s "$a" | sha256sum; done`
	e := newLab(t).launch(append([]string{"--", "sh", "-c", script, "sh"}, nasty()...)...)
	require.Equal(t, 0, e.code, e.stderr)
	var want strings.Builder
	for _, a := range nasty() {
		fmt.Fprintf(&want, "%x  -\n", sha256.Sum256([]byte(a)))
	}
	assert.Equal(t, want.String(), e.stdout)
}

// TestSecret: the value arrives, and stands nowhere but in a Secret, which goes
// with the run.
func TestSecret(t *testing.T) {
	l := newLab(t)
	l.env = append(l.env, "TOKEN_OF_TEST=s3cr3t-v4lue")
	p := l.start("--secret", "TOKEN=env:TOKEN_OF_TEST", "--", "sh", "-c", `printf %s "$TOKEN" | sha256sum; sleep 2`)
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte("s3cr3t-v4lue")))
	p.sees(sum)
	assert.NotContains(t, l.kubectl("get", "jobs,pods", "-o", "yaml"), "s3cr3t-v4lue")
	assert.Len(t, l.names("secrets"), 1)
	e := p.wait()
	assert.Equal(t, 0, e.code, e.stderr)
	assert.Empty(t, l.names("secrets"), "leftovers are removed at the end")
}

// TestCancel: Ctrl-C is over when the pod is gone.
func TestCancel(t *testing.T) {
	l := newLab(t)
	p := l.start("--", "sh", "-c", "trap 'echo got TERM; exit 1' TERM; echo started; while :; do sleep 0.1; done")
	p.sees("started")
	p.signal(syscall.SIGINT)
	e := p.wait()
	assert.Equal(t, 130, e.code, e.stderr)
	assert.Equal(t, "cancelled", e.Class)
	assert.False(t, e.CancelUnconfirmed)
	assert.Eventually(t, func() bool { return len(l.names("pods")) == 0 }, hang, look, "the kubelet removes the pod, whose processes are gone")
}

// TestCancelObeyed: a step that obeys and says that all is well was cancelled all the
// same.
func TestCancelObeyed(t *testing.T) {
	l := newLab(t)
	p := l.start("--", "sh", "-c", "trap 'echo saved; exit 0' TERM; echo started; while :; do sleep 0.1; done")
	p.sees("started")
	p.signal(syscall.SIGINT)
	e := p.wait()
	assert.Equal(t, "cancelled", e.Class, e.stderr)
	assert.Equal(t, 130, e.code)
	if assert.NotNil(t, e.ExitCode, "the step's own code is kept") {
		assert.Zero(t, *e.ExitCode)
	}
	assert.Contains(t, e.stdout, "saved")
	assert.Eventually(t, func() bool { return len(l.names("pods")) == 0 }, hang, look, "the kubelet removes the pod, whose processes are gone")
}

// TestPlan: what is planned is what kubectl takes.
func TestPlan(t *testing.T) {
	l := newLab(t)
	require.NoError(t, os.WriteFile(filepath.Join(l.dir, "stephost.hcl"), []byte(`
step "s" {
  operator = "op"
  command  = ["sh", "-c", "echo $(HOME)"]
  resources {
    cpu    = 1
    memory = "64MiB"
  }
}
`), 0o600))
	_, text, found := strings.Cut(l.must("plan", "s"), "The request (yaml), which was not sent:\n")
	require.True(t, found)
	text, _, _ = strings.Cut(text, "\n\n")
	file := filepath.Join(l.dir, "plan.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	assert.Contains(t, l.kubectl("apply", "--dry-run=server", "-f", file), "created (server dry run)")
	assert.Empty(t, l.names("jobs"))
}

// TestRestricted: a namespace that enforces the restricted Pod Security level
// takes the pods as they are by default.
func TestRestricted(t *testing.T) {
	l := newLab(t)
	l.kubectl("label", "namespace", l.namespace, "pod-security.kubernetes.io/enforce=restricted")
	e := l.launch("--", "id", "-u")
	require.Equal(t, 0, e.code, e.stderr)
	assert.NotEqual(t, "0\n", e.stdout)
}

// TestEvicted: the API's eviction, as a drain of the node makes it, is a
// preemption, and the next attempt runs.
func TestEvicted(t *testing.T) {
	l := newLab(t)
	p := l.start("--retry-preempted", "1", "--", "sh", "-c", `echo "attempt $STEPHOST_ATTEMPT"; [ "$STEPHOST_ATTEMPT" = 2 ] || sleep 600`)
	p.sees("attempt 1")
	pod := l.names("pods")[0]
	eviction := filepath.Join(l.dir, "eviction.json")
	require.NoError(t, os.WriteFile(eviction, []byte(fmt.Sprintf(
		`{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":%q,"namespace":%q}}`, pod, l.namespace)), 0o600))
	l.kubectl("create", "--raw", "/api/v1/namespaces/"+l.namespace+"/pods/"+pod+"/eviction", "-f", eviction)
	e := p.wait()
	assert.Equal(t, 0, e.code, e.stderr)
	assert.Equal(t, 2, e.Attempt)
	assert.Contains(t, e.stdout, "attempt 2")
	assert.Len(t, l.names("jobs"), 2)
}

// TestDeleted: a Job that somebody else deletes is lost, which is no failure of
// the step and never runs again by itself.
func TestDeleted(t *testing.T) {
	l := newLab(t)
	p := l.start("--retry-system", "3", "--", "sh", "-c", "echo started; sleep 600")
	p.sees("started")
	l.kubectl("delete", "job", l.names("jobs")[0])
	e := p.wait()
	assert.Equal(t, "lost", e.Class, e.Message)
	assert.Equal(t, 75, e.code)
	assert.Empty(t, l.names("jobs"))
}

// TestNodes: the ranks of a step find each other by the name that they are given.
func TestNodes(t *testing.T) {
	l := newLab(t)
	script := `if [ "$RANK" = 0 ]; then echo hello | nc -l -p "$MASTER_PORT"; else
until nc "$MASTER_ADDR" "$MASTER_PORT" </dev/null; do sleep 0.2; done; fi`
	e := l.launch("--nodes", "2", "--", "sh", "-c", "env | grep -E 'RANK|MASTER|WORLD|NNODES' | sort; "+script)
	require.Equal(t, 0, e.code, e.stderr+e.stdout)
	assert.Contains(t, e.stdout, "hello", "rank 1 prints what rank 0 sends")
	// What torch.distributed reads, and what torchrun takes for its options.
	for _, want := range []string{"RANK=0", "RANK=1", "PET_NODE_RANK=1", "WORLD_SIZE=2", "PET_NNODES=2", "MASTER_PORT=29500", "PET_MASTER_ADDR="} {
		assert.Contains(t, e.stdout, want)
	}
}
