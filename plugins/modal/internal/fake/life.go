package fake

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"

	"github.com/stephost/stephost/test/cloudfake"
)

// What a sandbox goes through before its process runs, where its life says
// nothing else.
const (
	scheduling   = 5 * time.Millisecond
	provisioning = 20 * time.Millisecond
)

// Numbers of the signals that end processes here.
func signals() map[string]int { return map[string]int{"SIGKILL": 9, "SIGTERM": 15, "SIGSEGV": 11} }

// live is the life of a sandbox.
func (s *server) live(b *sandbox) {
	wait := max(scheduling, ms(b.life.QueuedMS))
	if b.newer {
		// A sandbox of the newer backend has a machine when its create is answered;
		// what it waits for comes behind that.
		wait = scheduling
	}
	if !s.waits(b, wait) || b.life.NoCapacity && !s.waits(b, longestLife) {
		return
	}
	s.mu.Lock()
	b.task = "ta-" + b.id[len("sb-"):]
	close(b.assigned)
	s.mu.Unlock()
	wait = max(provisioning, ms(b.life.ProvisioningMS))
	if b.newer {
		wait = max(wait, ms(b.life.QueuedMS))
	}
	if !s.waits(b, wait) {
		return
	}
	switch {
	case b.life.NoImage:
		s.over(b, pb.GenericResult_GENERIC_STATUS_INIT_FAILURE, 0, "Container failed to start: S3 mount failed due to invalid credentials")
		return
	case b.life.Broken:
		s.over(b, pb.GenericResult_GENERIC_STATUS_INTERNAL_FAILURE, 0, "internal error")
		return
	}
	if err := s.start(b); err != nil {
		s.over(b, pb.GenericResult_GENERIC_STATUS_INTERNAL_FAILURE, 0, err.Error())
		return
	}
	s.run(b)
}

// waits waits before the start; false = it was ended.
func (s *server) waits(b *sandbox, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-b.stop:
		s.pause(ms(b.life.CancelMS))
		s.over(b, pb.GenericResult_GENERIC_STATUS_TERMINATED, 0, "")
	case <-s.stop:
	}
	return false
}

func (s *server) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.stop:
	}
}

// run waits for the end of the process.
func (s *server) run(b *sandbox) {
	limit := time.NewTimer(time.Duration(b.definition.GetTimeoutSecs()) * time.Second)
	defer limit.Stop()
	var preempt <-chan time.Time
	if b.life.PreemptAfterMS > 0 {
		preempt = time.After(ms(b.life.PreemptAfterMS))
	}
	select {
	case <-b.process.Done():
		e := b.process.Exit()
		code := e.Code
		if e.Signal != "" {
			const bySignal = 128
			code = bySignal + signals()[e.Signal]
		}
		status, text := pb.GenericResult_GENERIC_STATUS_SUCCESS, ""
		if code != 0 {
			status, text = pb.GenericResult_GENERIC_STATUS_FAILURE, fmt.Sprintf("process exited with code %d", code)
		}
		s.over(b, status, code, text)
	case <-limit.C:
		s.stopProcess(b, endGrace)
		s.over(b, pb.GenericResult_GENERIC_STATUS_TIMEOUT, 0, "")
	case <-preempt:
		s.stopProcess(b, 0)
		s.over(b, pb.GenericResult_GENERIC_STATUS_TERMINATED, 0, "Sandbox was terminated because its worker was preempted")
	case <-b.stop:
		s.pause(ms(b.life.CancelMS))
		s.stopProcess(b, endGrace)
		s.over(b, pb.GenericResult_GENERIC_STATUS_TERMINATED, 0, "")
	case <-s.stop:
		s.stopProcess(b, 0)
	}
}

// stopProcess ends the process and waits for it.
func (s *server) stopProcess(b *sandbox, grace time.Duration) {
	if grace == 0 {
		b.process.Kill()
	} else {
		b.process.End(grace)
	}
	<-b.process.Done()
}

// over gives the sandbox its result.
func (s *server) over(b *sandbox, status pb.GenericResult_GenericStatus, code int, text string) {
	s.commit(b)
	s.mu.Lock()
	b.result = pb.GenericResult_builder{Status: status, Exitcode: int32(code), Exception: text}.Build()
	b.finished = time.Now()
	close(b.over)
	s.mu.Unlock()
	if d := ms(b.life.DeleteAfterMS); d > 0 {
		s.pause(d)
		_ = s.forget(b.id) // somebody may have been quicker
	}
}

// start starts the process of a sandbox.
func (s *server) start(b *sandbox) error {
	s.mu.Lock()
	made := s.images[b.definition.GetImageId()]
	s.mu.Unlock()
	dir := s.path("sandboxes", strconv.Itoa(b.number))
	argv := append([]string{}, b.definition.GetEntrypointArgs()...)
	env := map[string]string{"MODAL_SANDBOX_ID": b.id, "MODAL_TASK_ID": b.task}
	maps.Copy(env, b.env)
	command := cloudfake.Command{Argv: argv, Env: env, Dir: b.definition.GetWorkdir()}
	if made.pulled != nil {
		if !made.bare {
			argv = append(append([]string{}, made.pulled.Entrypoint()...), argv...)
		}
		b.root = filepath.Join(dir, "root")
		if err := made.pulled.Unpack(b.root); err != nil {
			return err
		}
		command = made.pulled.Command(b.root, argv, env)
		for _, m := range b.definition.GetVolumeMounts() {
			if err := os.MkdirAll(filepath.Join(b.root, m.GetMountPath()), 0o777); err != nil {
				return err
			}
		}
	} else {
		if argv[0] == "/.stephost/init" && s.shim != "" {
			argv[0] = s.shim
		}
		if env["PATH"] == "" {
			env["PATH"] = os.Getenv("PATH")
		}
		for name, value := range env {
			env[name] = s.mounted(b, value)
		}
	}
	process, err := s.runner.Start(dir, command)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b.process, b.started = process, time.Now()
	b.starts++
	return nil
}

// mounted is a path below a mounted volume, as it is on this machine.
func (s *server) mounted(b *sandbox, value string) string {
	for _, m := range b.definition.GetVolumeMounts() {
		if rest, ok := strings.CutPrefix(value, m.GetMountPath()+"/"); ok {
			return s.path("volumes", m.GetVolumeId(), rest)
		}
	}
	return value
}

// commit copies what a sandbox with a file system of its own has written into its
// volumes.
func (s *server) commit(b *sandbox) {
	if b.root == "" {
		return
	}
	for _, m := range b.definition.GetVolumeMounts() {
		from := os.DirFS(filepath.Join(b.root, m.GetMountPath()))
		if err := os.CopyFS(s.path("volumes", m.GetVolumeId()), from); err != nil {
			fmt.Fprintln(os.Stderr, "fake-modal: a volume is not committed:", err)
		}
	}
}
