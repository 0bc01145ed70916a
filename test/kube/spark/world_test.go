//go:build linux

package spark

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/test/torture"
)

// hang ends what does not come back; it is no expectation of speed.
const hang = 8 * time.Minute

// look is how often a condition is looked at.
const look = 200 * time.Millisecond

// lean is for Javas that live for seconds.
const lean = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto"

// account is the drivers' service account.
const account = "spark"

// role is the Role of the flavor's page.
const role = `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: spark}
rules:
- {apiGroups: [""], resources: [pods], verbs: [create, get, list, watch, patch, delete, deletecollection]}
`

// world is a home with the operator `op` for a namespace of its own.
type world struct {
	t         *testing.T
	dir       string
	namespace string
	env       []string
}

func newWorld(t *testing.T) *world {
	needed(t)
	// Short, because sockets lie below it, and open to the user that pods run as.
	dir, err := os.MkdirTemp("", "ks")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	w := &world{t: t, dir: dir, namespace: strings.ToLower(filepath.Base(dir))}
	require.NoError(t, os.Chmod(dir, 0o755))
	require.NoError(t, os.Mkdir(w.share(), 0o777))
	require.NoError(t, os.Chmod(w.share(), 0o777))
	w.env = append(passed("PIP_", "UV_", "SSL_CERT_", "HTTP", "NO_PROXY", "https_proxy", "no_proxy"), "PATH="+os.Getenv("PATH"), "HOME="+dir,
		"STEPHOST_HOME="+filepath.Join(dir, "home"), "XDG_STATE_HOME="+filepath.Join(dir, "state"), "TERM=xterm",
		// pyspark is large, and who installed one for other tests has it already.
		"PIP_CACHE_DIR="+filepath.Join(userCache(t), "pip"), "UV_CACHE_DIR="+filepath.Join(userCache(t), "uv"))
	w.kubectl("create", "namespace", w.namespace)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), hang)
		defer cancel()
		_ = cluster.Kubectl(ctx, "delete", "namespace", w.namespace, "--wait=false").Run()
	})
	w.kubectl("create", "serviceaccount", account)
	file := filepath.Join(dir, "role.yaml")
	require.NoError(t, os.WriteFile(file, []byte(role), 0o600))
	w.kubectl("apply", "-f", file)
	w.kubectl("create", "rolebinding", "spark", "--role=spark", "--serviceaccount="+w.namespace+":"+account)
	return w
}

func userCache(t *testing.T) string {
	dir, err := os.UserCacheDir()
	require.NoError(t, err)
	return dir
}

// share is mounted at /share in driver and executors.
func (w *world) share() string { return filepath.Join(w.dir, "share") }

// register makes the operator op.
func (w *world) register(flags ...string) {
	w.t.Helper()
	properties, err := json.Marshal(map[string]string{
		"spark.driver.extraJavaOptions": lean, "spark.executor.extraJavaOptions": lean, "spark.sql.shuffle.partitions": "2",
		// Two processors are the whole node.
		"spark.kubernetes.executor.request.cores": "100m", "spark.kubernetes.executor.limit.cores": "2",
	})
	require.NoError(w.t, err)
	w.ok(append([]string{"operator", "register", "op", "--flavor=spark", "--master=k8s://", "--kubeconfig=" + cluster.Kubeconfig, "--namespace=" + w.namespace,
		"--service-account=" + account, "--java-home=" + javaHome, "--base-image=" + base, "--registry=" + cluster.Registry + "/steps", "--platform=linux/" + runtime.GOARCH,
		"--driver-memory=512m", "--executor-memory=512m", "--submit-kwargs=" + string(properties),
		fmt.Sprintf(`--volumes=[{name="share",host_path={path=%q}}]`, w.share()), `--volume-mounts=[{name="share",mount_path="/share"}]`}, flags...)...)
}

// copied is the operator op by another name, with some fields changed.
func (w *world) copied(name string, flags ...string) {
	w.t.Helper()
	w.ok("operator", "copy", "op", name)
	w.ok(append([]string{"operator", "update", name}, flags...)...)
}

// source makes a directory with a step's files.
func (w *world) source(files map[string]string) string {
	w.t.Helper()
	dir := w.t.TempDir()
	for name, text := range files {
		require.NoError(w.t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755))
	}
	return dir
}

// requirements are the same for all steps, so that there is one layer of them.
func requirements() []string {
	return []string{"--requirement", "pyspark==4.1.4", "--requirement", "pyarrow==26.0.1",
		"--requirements-file", filepath.Join(root, "examples", "digits", "requirements.txt")}
}

// kubectl asks the cluster itself, in the world's namespace.
func (w *world) kubectl(args ...string) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	out, err := cluster.Kubectl(ctx, append(args, "-n", w.namespace)...).CombinedOutput()
	require.NoError(w.t, err, "kubectl %v\n%s", args, out)
	return strings.TrimSpace(string(out))
}

// names of the objects of a kind.
func (w *world) names(kind string, more ...string) []string {
	w.t.Helper()
	return strings.Fields(w.kubectl(append([]string{"get", kind, "-o", "jsonpath={.items[*].metadata.name}"}, more...)...))
}

func (w *world) command(args ...string) *exec.Cmd {
	cmd := exec.Command(torture.Stephost(), args...)
	cmd.Dir, cmd.Env = w.dir, w.env
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

func (w *world) ok(args ...string) string {
	w.t.Helper()
	cmd := w.command(args...)
	out, err := cmd.CombinedOutput()
	require.NoError(w.t, err, "stephost %v\n%s", args, out)
	return string(out)
}

// launch is a launch in the background of the test.
type launch struct {
	w              *world
	cmd            *exec.Cmd
	result         string
	stdout, stderr buffer
	over           chan struct{} // closed when it has ended
}

// start launches a step from a directory: flags, "--" and argv.
func (w *world) start(source string, args ...string) *launch {
	w.t.Helper()
	p := &launch{w: w, result: filepath.Join(w.t.TempDir(), "result.json"), over: make(chan struct{})}
	operator := []string{"--operator", "op"}
	if args[0] == "--operator" {
		operator, args = args[:2], args[2:]
	}
	p.cmd = w.command(slices.Concat([]string{"launch", "--result-file", p.result, "--source", source}, operator, requirements(), args)...)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	require.NoError(w.t, p.cmd.Start())
	timer := time.AfterFunc(hang, func() { _ = p.cmd.Process.Kill() })
	go func() {
		defer close(p.over)
		_ = p.cmd.Wait()
		timer.Stop()
	}()
	w.t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.over
	})
	return p
}

// ended is how a launch ended.
type ended struct {
	host.Result
	code           int
	stdout, stderr string
}

func (p *launch) wait() ended {
	p.w.t.Helper()
	<-p.over
	e := ended{code: p.cmd.ProcessState.ExitCode(), stdout: p.stdout.String(), stderr: p.stderr.String()}
	data, err := os.ReadFile(p.result)
	require.NoError(p.w.t, err, "exit %d\n%s%s", e.code, e.stdout, e.stderr)
	require.NoError(p.w.t, json.Unmarshal(data, &e.Result), "exit %d\n%s%s", e.code, e.stdout, e.stderr)
	return e
}

// sees waits until a text was printed.
func (p *launch) sees(text string) {
	p.w.t.Helper()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for over := false; !strings.Contains(p.stdout.String(), text); {
		require.False(p.w.t, over, "nobody said %q:\n%s%s", text, &p.stdout, &p.stderr)
		select {
		case <-p.over:
			over = true // all that it printed is there
		case <-tick.C:
		}
	}
}

// passed are the variables of this process whose names begin with one of these.
func passed(prefixes ...string) []string {
	var out []string
	for _, v := range os.Environ() {
		for _, p := range prefixes {
			if strings.HasPrefix(v, p) {
				out = append(out, v)
			}
		}
	}
	return out
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
