//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"google.golang.org/protobuf/types/known/durationpb"
)

const forever = "echo begun; sleep 600"

// How a real Slurm ends jobs, and what becomes of it.
func TestEnds(t *testing.T) {
	c := startCluster(t)
	for _, tc := range []struct {
		name   string
		script string
		change []func(*operatorv1.Step)
		// act is done to the running job, behind the flavor's back.
		act    func(h *harness, job string)
		phase  operatorv1.Phase
		class  operatorv1.Class
		code   int32 // -1 = none
		native string
	}{
		{name: "success", script: "exit 0", phase: operatorv1.Phase_PHASE_SUCCEEDED, native: "COMPLETED"},
		{name: "exit code", script: "exit 7", phase: operatorv1.Phase_PHASE_FAILED, class: operatorv1.Class_CLASS_USER, code: 7, native: "FAILED"},
		{name: "signal of its own", script: "kill -SEGV $$", phase: operatorv1.Phase_PHASE_FAILED, class: operatorv1.Class_CLASS_USER, code: 139, native: "FAILED"},
		{name: "no such program", change: []func(*operatorv1.Step){func(s *operatorv1.Step) { s.Argv = []string{"no-such-program"} }},
			phase: operatorv1.Phase_PHASE_FAILED, class: operatorv1.Class_CLASS_USER, code: 127, native: "FAILED"},
		{name: "a builtin of the shell is no program", change: []func(*operatorv1.Step){func(s *operatorv1.Step) { s.Argv = []string{"exit", "0"} }},
			phase: operatorv1.Phase_PHASE_FAILED, class: operatorv1.Class_CLASS_USER, code: 127, native: "FAILED"},
		{name: "no work directory", change: []func(*operatorv1.Step){func(s *operatorv1.Step) { s.Environment.GetDirectory().Path = "/no/such/directory" }},
			phase: operatorv1.Phase_PHASE_FAILED, class: operatorv1.Class_CLASS_CONFIG, code: -1, native: "FAILED"},
		{name: "cancelled by somebody else", script: forever, act: func(h *harness, job string) { c.command(h.ctx(), "scancel", job) },
			phase: operatorv1.Phase_PHASE_CANCELLED, class: operatorv1.Class_CLASS_CANCELLED, code: -1, native: "CANCELLED"},
		{name: "preempted", script: forever, change: []func(*operatorv1.Step){cpus(16)}, act: func(h *harness, _ string) {
			c.command(h.ctx(), "sbatch", "--partition=urgent", "--cpus-per-task=16", "--output=/dev/null", "--wrap=true")
		}, phase: operatorv1.Phase_PHASE_FAILED, class: operatorv1.Class_CLASS_PREEMPTED, code: -1, native: "PREEMPTED"},
		{name: "node failed", script: forever, act: func(h *harness, _ string) {
			c.command(h.ctx(), "scontrol", "update", "NodeName="+c.node, "State=DOWN", "Reason=test")
		}, phase: operatorv1.Phase_PHASE_FAILED, class: operatorv1.Class_CLASS_SYSTEM, code: -1, native: "NODE_FAIL"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHarness(t)
			s := h.step("t", tc.script, tc.change...)
			handle, job := h.job(s)
			if tc.act != nil {
				h.running(c, s.Key)
				tc.act(h, job)
			}
			end := h.watch(s.Key, handle, nil)
			if end.Phase != tc.phase || end.Class != tc.class || end.NativeState != tc.native {
				t.Errorf("%v", end)
			}
			if code := end.ExitCode; tc.code >= 0 && (code == nil || *code != tc.code) || tc.code < 0 && code != nil {
				t.Errorf("exit code: %v", end)
			}
			if tc.native == "NODE_FAIL" {
				c.idle() // it answers, and so it returns to service
			}
		})
	}
}

// What slurmctld refuses leaves nothing behind; what it never got was not sent.
func TestRefused(t *testing.T) {
	c := startCluster(t)
	for _, tc := range []struct {
		name   string
		change func(*operatorv1.Step)
		class  operatorv1.Class
		text   string
	}{
		{"partition", partition("none"), operatorv1.Class_CLASS_CONFIG, "Invalid partition"},
		{"memory", func(s *operatorv1.Step) { s.Resources = &operatorv1.Resources{MemoryBytes: 1 << 50} }, operatorv1.Class_CLASS_CONFIG, "Memory specification"},
		{"gpu", func(s *operatorv1.Step) { s.Resources = &operatorv1.Resources{Gpu: 1} }, operatorv1.Class_CLASS_CONFIG, "generic resource"},
		{"variable", func(s *operatorv1.Step) { s.Env = map[string]string{"SBATCH_PARTITION": "x"} }, operatorv1.Class_CLASS_CONFIG, "SBATCH_PARTITION"},
		{"nodes", func(s *operatorv1.Step) { s.Resources = &operatorv1.Resources{Nodes: 2} }, operatorv1.Class_CLASS_CONFIG, "one node"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHarness(t)
			r := h.submit(h.step("t", "true", tc.change))
			if r.GetRejected() == nil || len(r.Diagnostics) == 0 || r.Diagnostics[0].Class != tc.class || !strings.Contains(r.String(), tc.text) {
				t.Errorf("%v", r)
			}
		})
	}
	t.Run("nobody answers", func(t *testing.T) {
		h := newHarness(t)
		c.stop(c.controller)
		s := h.step("t", "true")
		if r := h.submit(s); r.GetNotSent() == nil {
			t.Errorf("%v", r)
		}
		r, err := h.client.Find(h.ctx(), &operatorv1.FindRequest{Target: h.target, By: &operatorv1.FindRequest_Key{Key: s.Key}})
		h.must(err)
		if r.GetOutcome() != operatorv1.FindResponse_OUTCOME_UNSPECIFIED || r.GetCouldNotAsk() == nil {
			t.Errorf("%v", r)
		}
	})
}

// A job that waits says for what, and can be cancelled.
func TestPending(t *testing.T) {
	c := startCluster(t)
	h := newHarness(t)
	big := h.step("big", forever, cpus(16))
	handle, _ := h.job(big)
	h.running(c, big.Key)
	s := h.step("t", "true", cpus(16))
	waiting, _ := h.job(s)
	reasons := map[string]bool{}
	cancelled := false
	end := h.watch(s.Key, waiting, func(st *operatorv1.Status) {
		reasons[st.Reason] = true
		if st.Reason == "Resources" && !cancelled {
			cancelled = true
			_, err := h.client.Cancel(h.ctx(), &operatorv1.CancelRequest{Target: h.target, Handle: waiting, Key: s.Key})
			h.must(err)
		}
	})
	if end.Phase != operatorv1.Phase_PHASE_CANCELLED || end.StartedAt.AsTime().Unix() > 0 && !cancelled {
		t.Errorf("%v, reasons %v", end, reasons)
	}
	_, err := h.client.Cancel(h.ctx(), &operatorv1.CancelRequest{Target: h.target, Handle: handle, Key: big.Key, Force: true})
	h.must(err)
	if end := h.watch(big.Key, handle, nil); end.Phase != operatorv1.Phase_PHASE_CANCELLED {
		t.Errorf("forced: %v", end)
	}
}

// A slurmctld that has forgotten every job: the record still has the verdict.
func TestForgotten(t *testing.T) {
	c := startCluster(t)
	h := newHarness(t)
	failed := h.step("failed", "echo begun; exit 9")
	failedHandle, _ := h.job(failed)
	h.watch(failed.Key, failedHandle, nil)
	cancelled := h.step("cancelled", forever)
	cancelledHandle, _ := h.job(cancelled)
	h.running(c, cancelled.Key)
	_, err := h.client.Cancel(h.ctx(), &operatorv1.CancelRequest{Target: h.target, Handle: cancelledHandle, Key: cancelled.Key})
	h.must(err)
	h.watch(cancelled.Key, cancelledHandle, nil)
	c.forget()

	if end := h.watch(failed.Key, failedHandle, nil); end.Phase != operatorv1.Phase_PHASE_FAILED || end.GetExitCode() != 9 || end.Class != operatorv1.Class_CLASS_USER {
		t.Errorf("%v", end)
	}
	if end := h.watch(cancelled.Key, cancelledHandle, nil); end.Phase != operatorv1.Phase_PHASE_CANCELLED {
		t.Errorf("%v", end)
	}
	found, err := h.client.Find(h.ctx(), &operatorv1.FindRequest{Target: h.target, By: &operatorv1.FindRequest_RunToken{RunToken: "failed"}})
	h.must(err)
	if len(found.GetJobs()) != 1 || found.GetJobs()[0].GetPhase() != operatorv1.Phase_PHASE_FAILED {
		t.Errorf("%v", found)
	}
	if text := h.log(failed.Key, failedHandle); text != "begun\n" {
		t.Errorf("log %q", text)
	}
	// Without the exit code nobody can tell how it ended.
	h.must(os.Remove(filepath.Join(h.shared, "jobs", failed.Key, "exit")))
	if end := h.watch(failed.Key, failedHandle, nil); end.Phase != operatorv1.Phase_PHASE_LOST {
		t.Errorf("%v", end)
	}
}

// The copy is what the step sees, and its own to change.
func TestCopyWork(t *testing.T) {
	startCluster(t)
	h := newHarness(t)
	h.target = h.config(true)
	s := h.step("t", "cat data link && echo new > data && echo result > $STEPHOST_OUTPUT_DIR/model", func(s *operatorv1.Step) {
		s.Resources = &operatorv1.Resources{CpuMillis: 500, MemoryBytes: 100 << 20}
		s.Deadlines = &operatorv1.Deadlines{Run: durationpb.New(90e9)}
	})
	source := s.Environment.GetDirectory().Path
	h.must(os.WriteFile(filepath.Join(source, "data"), []byte("old\n"), 0o644))
	h.must(os.Symlink("data", filepath.Join(source, "link")))
	for range 2 {
		stream, err := h.client.Prepare(h.ctx(), &operatorv1.PrepareRequest{Target: h.target, Step: s})
		h.must(err)
		for {
			m, err := stream.Recv()
			h.must(err)
			if m.GetDone() != nil {
				break
			}
			if len(m.GetDiagnostics()) > 0 || m.GetCouldNotAsk() != nil {
				t.Fatal(m)
			}
		}
	}
	handle, _ := h.job(s)
	end := h.watch(s.Key, handle, nil)
	if end.Phase != operatorv1.Phase_PHASE_SUCCEEDED || len(end.Outputs) != 1 || end.Outputs[0].Name != "model" {
		t.Errorf("%v", end)
	}
	if text := h.log(s.Key, handle); text != "old\nold\n" {
		t.Errorf("log %q", text)
	}
	if data, err := os.ReadFile(filepath.Join(source, "data")); err != nil || string(data) != "old\n" {
		t.Errorf("the source is %q, %v", data, err)
	}
	for _, what := range []operatorv1.CleanupRequest_What{operatorv1.CleanupRequest_WHAT_LEFTOVERS, operatorv1.CleanupRequest_WHAT_RECORD, operatorv1.CleanupRequest_WHAT_RECORD} {
		r, err := h.client.Cleanup(h.ctx(), &operatorv1.CleanupRequest{Target: h.target, Handle: handle, Key: s.Key, What: what})
		h.must(err)
		if len(r.GetDiagnostics()) > 0 || r.GetCouldNotAsk() != nil {
			t.Errorf("%v", r)
		}
	}
	if entries, _ := os.ReadDir(filepath.Join(h.shared, "jobs")); len(entries) != 0 {
		t.Errorf("left: %v", entries)
	}
}

// The texts that the flavor knows are those of the commands that are here.
func TestNoSlurm(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	h := newHarness(t)
	if _, err := exec.LookPath("sbatch"); err == nil {
		t.Fatal("sbatch is still there")
	}
	if r := h.submit(h.step("t", "true")); r.GetNotSent() == nil {
		t.Errorf("%v", r)
	}
}
