package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/test/kube"
	"github.com/stephost/stephost/test/torture"
)

// hang ends what does not come back; it is no expectation of speed.
const hang = 4 * time.Minute

// look is how often a condition is looked at.
const look = 50 * time.Millisecond

// lab is a home with an operator `op` for a namespace of its own.
type lab struct {
	t         *testing.T
	c         *kube.Cluster
	dir       string
	namespace string
	env       []string
}

// newLab is a lab on the shared cluster. Most of a test is waiting for pods, so
// all of them run in parallel.
func newLab(t *testing.T, flags ...string) *lab {
	c := cluster(t)
	t.Parallel()
	return newLabOn(t, c, flags...)
}

func newLabOn(t *testing.T, c *kube.Cluster, flags ...string) *lab {
	t.Helper()
	// Short, because sockets lie below it, and open to the user that pods run as.
	dir, err := os.MkdirTemp("", "ke")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o777))
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l := &lab{t: t, c: c, dir: dir, namespace: strings.ToLower(filepath.Base(dir))}
	l.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "STEPHOST_HOME=" + filepath.Join(dir, "home"),
		"XDG_STATE_HOME=" + filepath.Join(dir, "state"), "TERM=xterm"}
	l.kubectl("create", "namespace", l.namespace)
	l.kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=1m")
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), hang)
		defer cancel()
		_ = c.Kubectl(ctx, "delete", "namespace", l.namespace, "--wait=false").Run()
	})
	l.must(append([]string{"operator", "register", "op", "--flavor=kubernetes", "--kubeconfig=" + c.Kubeconfig,
		"--namespace=" + l.namespace, "--image=" + c.Image}, flags...)...)
	return l
}

// kubectl asks the cluster itself, in the lab's namespace.
func (l *lab) kubectl(args ...string) string {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	out, err := l.c.Kubectl(ctx, append(args, "-n", l.namespace)...).CombinedOutput()
	require.NoError(l.t, err, "kubectl %v\n%s", args, out)
	return strings.TrimSpace(string(out))
}

// names of the objects of a kind.
func (l *lab) names(kind string) []string {
	l.t.Helper()
	return strings.Fields(l.kubectl("get", kind, "-o", "jsonpath={.items[*].metadata.name}"))
}

// launch is a launch in the background of the test.
type launch struct {
	l              *lab
	cmd            *exec.Cmd
	result         string
	stdout, stderr buffer
	argv           []string
}

func (l *lab) command(args ...string) *exec.Cmd {
	cmd := exec.Command(torture.Stephost(), args...)
	cmd.Dir, cmd.Env = l.dir, l.env
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// start launches; flags and "--" and argv.
func (l *lab) start(args ...string) *launch {
	l.t.Helper()
	result, err := os.CreateTemp(l.dir, "result")
	require.NoError(l.t, err)
	require.NoError(l.t, result.Close())
	p := &launch{l: l, result: result.Name(), argv: args}
	p.cmd = l.command(append([]string{"launch", "--result-file", p.result}, operated(args)...)...)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	require.NoError(l.t, p.cmd.Start())
	timer := time.AfterFunc(hang, func() { _ = p.cmd.Process.Kill() })
	l.t.Cleanup(func() { timer.Stop() })
	return p
}

// operated adds the lab's own operator where none is named.
func operated(args []string) []string {
	if len(args) > 0 && args[0] == "--operator" {
		return args
	}
	return append([]string{"--operator", "op"}, args...)
}

// ended is how a launch ended.
type ended struct {
	host.Result
	code           int
	stdout, stderr string
}

func (p *launch) wait() ended {
	p.l.t.Helper()
	_ = p.cmd.Wait()
	e := ended{code: p.cmd.ProcessState.ExitCode(), stdout: p.stdout.String(), stderr: p.stderr.String()}
	data, err := os.ReadFile(p.result)
	require.NoError(p.l.t, err)
	require.NoError(p.l.t, json.Unmarshal(data, &e.Result), "exit %d\n%s%s", e.code, e.stdout, e.stderr)
	return e
}

// launch launches and waits for the end.
func (l *lab) launch(args ...string) ended {
	l.t.Helper()
	return l.start(args...).wait()
}

func (p *launch) signal(s syscall.Signal) { require.NoError(p.l.t, p.cmd.Process.Signal(s)) }

// sees waits until a text was printed and says after how long.
func (p *launch) sees(text string) time.Duration {
	p.l.t.Helper()
	begin := time.Now()
	require.Eventually(p.l.t, func() bool {
		return strings.Contains(p.stdout.String(), text) || strings.Contains(p.stderr.String(), text)
	}, hang, look, "%v never says %q:\n%s%s", p.argv, text, &p.stdout, &p.stderr)
	return time.Since(begin)
}

// run runs another command of stephost.
func (l *lab) run(args ...string) (stdout, stderr string, code int) {
	l.t.Helper()
	var out, errs bytes.Buffer
	cmd := l.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	require.NoError(l.t, cmd.Start())
	timer := time.AfterFunc(hang, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	_ = cmd.Wait()
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func (l *lab) must(args ...string) string {
	l.t.Helper()
	out, errs, code := l.run(args...)
	require.Equal(l.t, 0, code, "stephost %v\n%s%s", args, out, errs)
	return out
}

// share are the flags of a launch that mounts a directory of the test at /share.
func share(dir string) []string {
	return []string{"--set", fmt.Sprintf(`volumes=[{name="share",host_path={path=%q}}]`, dir),
		"--set", `volume_mounts=[{name="share",mount_path="/share"}]`}
}

// buffer is written by one goroutine and read by another.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func open(t *testing.T, dir string) { require.NoError(t, os.Chmod(dir, 0o777)) }

func baseOf(dir string) string { return filepath.Base(dir) }
