//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/pluginsdk"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// deaths is the number of kills per kind in the short form.
const deaths = 25

// submitter is a plugin process that does one Submit and then waits for its
// end: what the test kills.
func submitter() int {
	env := map[string]string{stepMode: os.Getenv("SUBMIT_MODE"), "WITNESS": os.Getenv("WITNESS"), noRaceSleep: noRaceSleepValue}
	_, err := newLocal().Submit(context.Background(), Config{StateDir: os.Getenv("SUBMIT_STATE")}, &pluginsdk.Step{
		RunID: "run-" + os.Getenv("SUBMIT_TOKEN"), Token: os.Getenv("SUBMIT_TOKEN"), Key: keyOf(os.Getenv("SUBMIT_TOKEN"), 1),
		Attempt: 1, Argv: []string{os.Args[0], os.Getenv("SUBMIT_ARG")}, Env: env, RequestDigest: digest(),
	})
	fmt.Println("submitted", err)
	time.Sleep(time.Hour)
	return 0
}

func (h *harness) submitter(token, mode, arg, witness string) (cmd *exec.Cmd, said *bufio.Reader) {
	cmd = exec.Command(h.self)
	cmd.Env = []string{stepMode + "=submitter", "SUBMIT_TOKEN=" + token, "SUBMIT_MODE=" + mode, "SUBMIT_ARG=" + arg,
		"SUBMIT_STATE=" + h.state.Root(), "WITNESS=" + witness, "PATH=" + os.Getenv("PATH")}
	out, err := cmd.StdoutPipe()
	require.NoError(h.t, err)
	require.NoError(h.t, cmd.Start())
	return cmd, bufio.NewReader(out)
}

func kill(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

func TestAStepOutlivesThePlugin(t *testing.T) {
	h := newHarness(t)
	stop := filepath.Join(t.TempDir(), "stop")
	cmd, said := h.submitter("outlive", "slow", stop, "")
	line, err := said.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "submitted <nil>\n", line)
	kill(cmd)

	key := keyOf("outlive", 1)
	found, err := h.client.Find(h.ctx(), &operatorv1.FindRequest{Target: h.target, By: &operatorv1.FindRequest_RunToken{RunToken: "outlive"}})
	require.NoError(t, err)
	require.Len(t, found.Jobs, 1)
	require.Equal(t, operatorv1.Phase_PHASE_RUNNING, found.Jobs[0].Phase)
	before := h.sizeOf(key)
	h.wait("the log to grow", func() bool { return h.sizeOf(key) > before })
	require.NoError(t, os.WriteFile(stop, nil, 0o600))
	end, _ := h.watch(key, found.Jobs[0].Handle)
	assert.EqualValues(t, 7, end.GetExitCode(), "nothing was lost with the plugin")
	countLines(t, h.logs(key, found.Jobs[0].Handle, true, nil).bytes["stdout"].Bytes(), 9)
	h.gone(key)
}

func (h *harness) sizeOf(key string) int64 {
	info, err := os.Stat(h.job(key).Stream("stdout"))
	if err != nil {
		return 0
	}
	return info.Size()
}

// runners are the runner processes of a job.
func (h *harness) runners(key string) []int {
	names, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(h.t, err)
	var found []int
	for _, name := range names {
		command, err := os.ReadFile(name)
		if err == nil && bytes.HasSuffix(bytes.TrimSuffix(command, []byte{0}), []byte("\x00"+h.job(key).Dir)) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			require.NoError(h.t, err)
			found = append(found, pid)
		}
	}
	return found
}

// Whoever dies, and when: at most one process, and the same verdict for
// everybody who asks. The seed makes the moments come again, as far as a
// machine with other work allows.
func TestDeathsAtAnyMoment(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 2))
	h := newHarness(t)
	witness := filepath.Join(t.TempDir(), "witness")
	outcomes := map[string]int{}
	for i := range 2 * deaths {
		token := fmt.Sprint("death", i)
		key := keyOf(token, 1)
		cmd, _ := h.submitter(token, "witness", "x", witness)
		// A submitter takes some milliseconds to come up, its runner some more.
		time.Sleep(time.Duration(rnd.IntN(40_000)) * time.Microsecond)
		if i%2 == 0 {
			kill(cmd)
		} else {
			for _, pid := range h.runners(key) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		s := h.step(token, "witness", "x")
		s.Env["WITNESS"] = witness
		handle := h.accepted(s)
		end, _ := h.watch(key, handle)
		again, _ := h.watch(key, handle)
		require.Equal(t, end.Phase, again.Phase)
		if i%2 == 1 {
			kill(cmd)
		}
		h.gone(key)
		data, err := os.ReadFile(witness)
		if err != nil {
			require.ErrorIs(t, err, os.ErrNotExist)
		}
		ran := bytes.Count(data, []byte(key+" "))
		outcomes[fmt.Sprintf("%s, ran %d times", end.Phase, ran)]++
		switch end.Phase {
		case operatorv1.Phase_PHASE_SUCCEEDED:
			require.Equal(t, 1, ran)
		case operatorv1.Phase_PHASE_LOST:
			require.Equal(t, 1, i%2, "only the death of a runner loses a verdict")
			require.LessOrEqual(t, ran, 1)
		default:
			require.FailNow(t, "unexpected verdict", "%v", end)
		}
	}
	t.Log(outcomes)
}
