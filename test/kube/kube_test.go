package kube

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// hang ends what does not come back; it is no expectation of speed.
const hang = 2 * time.Minute

// childVar makes this test binary the owner of a cluster that is then killed.
const childVar = "STEPHOST_KUBE_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVar) != "" {
		c, err := Start(context.Background(), os.Getenv(childVar) == "node")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(c.Dir)
		select {}
	}
	goleak.VerifyTestMain(m)
}

func kubectl(t *testing.T, c *Cluster, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	out, err := c.Kubectl(ctx, args...).CombinedOutput()
	require.NoError(t, err, "kubectl %v\n%s", args, out)
	return strings.TrimSpace(string(out))
}

// processes of this machine that name dir.
func processes(t *testing.T, dir string) []string {
	entries, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	var out []string
	for _, e := range entries {
		if data, err := os.ReadFile(e); err == nil && bytes.Contains(data, []byte(dir)) {
			out = append(out, string(bytes.ReplaceAll(data, []byte{0}, []byte{' '})))
		}
	}
	return out
}

func TestControlPlane(t *testing.T) {
	c := &Cluster{}
	t.Cleanup(func() { assert.Empty(t, processes(t, c.Dir), "processes are left") })
	begin := time.Now()
	c = ControlPlane(t)
	t.Logf("ready after %s", time.Since(begin))

	kubectl(t, c, "create", "job", "j", "--image=any", "--", "true")
	require.Eventually(t, func() bool {
		return kubectl(t, c, "get", "pods", "-l", "batch.kubernetes.io/job-name=j", "-o", "jsonpath={.items[*].status.phase}") == "Pending"
	}, hang, 50*time.Millisecond, "the controllers make no Pod")
	assert.Equal(t, "no", func() string {
		out, _ := c.Kubectl(t.Context(), "--context=limited", "auth", "can-i", "create", "jobs").Output()
		return strings.TrimSpace(string(out))
	}())

	c.Kill(t, APIServer)
	_, err := net.Dial("tcp", strings.TrimPrefix(c.Server, "https://"))
	require.ErrorContains(t, err, "refused")
	c.Restart(t, APIServer)
	assert.Equal(t, "job.batch/j", kubectl(t, c, "get", "jobs", "-o", "name"), "the state outlives the server")

	c.Freeze(t, APIServer)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	require.Error(t, c.Kubectl(ctx, "get", "--raw", "/readyz").Run())
	c.Thaw(t, APIServer)
	assert.Equal(t, "ok", kubectl(t, c, "get", "--raw", "/readyz"))
	assert.ErrorContains(t, c.up.command("kill", "nobody"), "no component")
}

func TestStartFails(t *testing.T) {
	_, err := startSupervisor(t.Context(), "false", nil, nil, &Cluster{})
	require.ErrorContains(t, err, "did not start")
}

func TestNode(t *testing.T) {
	begin := time.Now()
	c := Node(t)
	t.Logf("ready after %s", time.Since(begin))

	resp, err := http.Get("http://" + c.Registry + "/v2/_catalog")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, http.StatusOK, resp.StatusCode)

	begin = time.Now()
	kubectl(t, c, "create", "job", "j", "--image="+c.Image, "--", "sh", "-c", "echo hello; exit 0")
	kubectl(t, c, "wait", "--for=condition=complete", "job/j", "--timeout=1m")
	t.Logf("a job is complete after %s", time.Since(begin))
	assert.Equal(t, "hello", kubectl(t, c, "logs", "job/j"))

	out, err := c.Command(t.Context(), "ip", "addr", "show", "cni0").CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Contains(t, string(out), "10.98.0.1/16")

	c.Kill(t, APIServer)
	_, err = net.Dial("tcp", strings.TrimPrefix(c.Server, "https://"))
	require.ErrorContains(t, err, "refused", "the relay does not accept for a dead server")
	c.Restart(t, APIServer)
	assert.Equal(t, "job.batch/j", kubectl(t, c, "get", "jobs", "-o", "name"))
}

// TestLifeline: the owner is killed, and nothing of its cluster stays.
func TestLifeline(t *testing.T) {
	for _, kind := range []string{"control-plane", "node"} {
		t.Run(kind, func(t *testing.T) {
			if lacks := Lacks(kind == "node"); lacks != "" {
				require.NotEqual(t, "true", os.Getenv("CI"), lacks)
				t.Skip("SKIPPED, nothing of this was tested:", lacks)
			}
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), childVar+"="+kind)
			cmd.Stderr = os.Stderr
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			dir, err := bufio.NewReader(stdout).ReadString('\n')
			require.NoError(t, err)
			dir = strings.TrimSpace(dir)
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			require.NotEmpty(t, processes(t, dir))
			require.NoError(t, cmd.Process.Kill())
			_ = cmd.Wait()
			require.Eventually(t, func() bool { return len(processes(t, dir)) == 0 }, hang, 20*time.Millisecond, "processes are left")
			if kind == "node" {
				require.Eventually(t, func() bool {
					_, err := os.Stat(filepath.Join("/sys/fs/cgroup/memory", filepath.Base(dir)))
					return os.IsNotExist(err)
				}, hang, 20*time.Millisecond, "control groups are left")
			}
		})
	}
}
