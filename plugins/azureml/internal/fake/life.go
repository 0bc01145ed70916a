package fake

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	ml "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"

	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/container"
)

const (
	// shimPath is the init process of built images.
	shimPath = "/.stephost/init"
	// workDir is the directory of a command in its container (assumption).
	workDir = "/mnt/azureml/wd"
	// sampleEvery is how often the size of a log is noted that is shown late.
	sampleEvery = 10 * time.Millisecond
)

// wait pauses; false when the job is to end.
func (s *Server) wait(j *job, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-j.stopping:
	case <-s.stop:
	}
	return false
}

func (s *Server) move(j *job, state ml.JobStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j.why == "" || terminal(state) {
		j.move(state)
	}
}

func (s *Server) fail(j *job, code, reason string) {
	s.mu.Lock()
	j.code, j.reason = code, reason
	s.mu.Unlock()
	s.move(j, ml.JobStatusFailed)
	s.forget(j)
}

// live is the life of a job.
func (s *Server) live(j *job) {
	s.move(j, ml.JobStatusQueued)
	for {
		if !s.begin(j) {
			break
		}
		s.mu.Lock()
		over := j.over
		s.mu.Unlock()
		if over {
			return
		}
		again, ok := s.run(j)
		if !ok {
			break
		}
		if !again {
			return
		}
		s.move(j, ml.JobStatusQueued)
	}
	select {
	case <-s.stop:
	default:
		s.move(j, ml.JobStatusCanceled)
		s.forget(j)
	}
}

// begin goes through the states before the step starts.
func (s *Server) begin(j *job) bool {
	if !s.wait(j, s.o.Step+millis(j.life.QueuedMS)) {
		return false
	}
	if j.life.NoCapacity {
		s.fail(j, "ServiceError", "Allocation failed: there is no capacity of this size in the region")
		return true
	}
	s.move(j, ml.JobStatusPreparing)
	if !s.wait(j, s.o.Step+millis(j.life.ProvisioningMS)) {
		return false
	}
	switch {
	case j.life.NoImage:
		s.fail(j, "UserError", "Failed to pull the image: not found")
	case j.life.Broken:
		s.fail(j, "ServiceError", "AzureMLCompute job failed: internal error")
	}
	return true
}

// run runs the step once on all nodes. again: it begins anew; ok = false: it is to
// be ended.
func (s *Server) run(j *job) (again, ok bool) {
	nodes, err := s.start(j)
	if err != nil {
		s.fail(j, "ServiceError", err.Error())
		return false, true
	}
	s.move(j, ml.JobStatusRunning)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for _, n := range nodes {
			<-n.process.Done()
			if n.process.Exit().Code != 0 { // one node that fails ends the job
				for _, other := range nodes {
					other.process.Kill()
				}
			}
		}
	}()
	kill := func() {
		for _, n := range nodes {
			n.process.Kill()
		}
		<-ended
	}
	var taken, restart, limit <-chan time.Time
	if d := millis(j.life.PreemptAfterMS); d > 0 {
		taken = time.After(d)
	}
	if d := millis(j.life.RestartAfterMS); d > 0 && j.starts <= j.life.Restarts {
		restart = time.After(d)
	}
	if l := j.command.Limits; l != nil && l.Timeout != nil {
		if d, err := time.ParseDuration(strings.ToLower(strings.TrimPrefix(*l.Timeout, "PT"))); err == nil {
			limit = time.After(d)
		}
	}
	select {
	case <-ended:
		s.finish(j, nodes)
		return false, true
	case <-taken:
		kill()
		s.fail(j, "ServiceError", "The node was preempted")
		return false, true
	case <-restart:
		kill()
		return true, true
	case <-limit:
		s.mu.Lock()
		s.halt(j, "timeout")
		s.mu.Unlock()
	case <-j.stopping:
	case <-s.stop:
		kill()
		return false, false
	}
	timer := time.NewTimer(millis(j.life.CancelMS))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.stop:
		kill()
		return false, false
	}
	for _, n := range nodes {
		n.process.End(s.o.Grace)
	}
	<-ended
	return false, false
}

// start starts one process for each node.
func (s *Server) start(j *job) ([]*node, error) {
	c := j.command
	count := 1
	if c.Resources != nil && c.Resources.InstanceCount != nil {
		count = int(*c.Resources.InstanceCount)
	}
	s.mu.Lock()
	start := j.starts
	s.mu.Unlock()
	line := *c.Command
	if s.o.Shim != "" {
		line = strings.ReplaceAll(line, shimPath, s.o.Shim)
	}
	var nodes []*node
	for i := range count {
		dir := filepath.Join(s.o.Dir, fmt.Sprintf("%06d", j.number), fmt.Sprintf("%d.%d", i, start))
		root := filepath.Join(dir, "root")
		img, err := container.Pull(context.Background(), s.imageOf(c), nil)
		if err == nil {
			err = img.Unpack(root)
		}
		if err != nil {
			return nil, fmt.Errorf("the image %s: %w", s.imageOf(c), err)
		}
		n := &node{wd: filepath.Join(dir, "wd")}
		if img != nil {
			n.wd = filepath.Join(root, workDir)
		}
		if err := os.MkdirAll(n.wd, 0o700); err != nil {
			return nil, err
		}
		if c.CodeID != nil {
			if err := os.CopyFS(n.wd, os.DirFS(filepath.Join(s.o.Dir, "code", last(c.CodeID)))); err != nil {
				return nil, err
			}
		}
		env := map[string]string{"PATH": os.Getenv("PATH"), "HOME": dir, "AZUREML_RUN_ID": j.name}
		if _, distributed := c.Distribution.(*ml.PyTorch); distributed {
			maps.Copy(env, map[string]string{"NODE_RANK": strconv.Itoa(i), "RANK": strconv.Itoa(i), "LOCAL_RANK": "0", "WORLD_SIZE": strconv.Itoa(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "6105"})
		}
		for name, value := range c.EnvironmentVariables {
			env[name] = *value
		}
		command := cloudfake.Command{Argv: []string{"bash", "-c", line}, Env: env, Dir: n.wd}
		if img != nil {
			delete(env, "PATH") // the image has one
			env["HOME"] = "/root"
			// AzureML asks for bash; the images of the tests have the smaller shell.
			command = img.Command(root, []string{"/bin/sh", "-c", *c.Command}, env)
			command.Dir = workDir
		}
		if n.process, err = s.runner.Start(dir, command); err != nil {
			return nil, err
		}
		if j.life.LogsLateMS > 0 {
			s.lives.Go(func() { s.sample(n) })
		}
		nodes = append(nodes, n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j.starts++
	j.nodes = nodes
	if j.started.IsZero() {
		j.started = time.Now()
	}
	return nodes, nil
}

// imageOf is the image of a job's environment, "" for one of the workspace's own.
func (s *Server) imageOf(c *ml.CommandJob) string {
	parts := strings.Split(*c.EnvironmentID, "/")
	const tail = 3 // NAME/versions/VERSION
	if len(parts) < tail {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.environments[parts[len(parts)-tail]+"/"+parts[len(parts)-1]]
	if v == nil || v.Properties == nil || v.Properties.Image == nil {
		return ""
	}
	return *v.Properties.Image
}

// sample notes how a log grows.
func (s *Server) sample(n *node) {
	ticker := time.NewTicker(sampleEvery)
	defer ticker.Stop()
	for over := false; ; {
		if info, err := os.Stat(n.process.Path("log")); err == nil {
			s.mu.Lock()
			n.sizes = append(n.sizes, sample{time.Now(), info.Size()})
			s.mu.Unlock()
		}
		if over {
			return
		}
		select {
		case <-n.process.Done():
			over = true
		case <-s.stop:
			return
		case <-ticker.C:
		}
	}
}

// finish is the end of a step that ended by itself.
func (s *Server) finish(j *job, nodes []*node) {
	var failed *node
	for _, n := range nodes {
		if e := n.process.Exit(); e.Code != 0 && (failed == nil || failed.process.Exit().Signal == "SIGKILL") {
			failed = n
		}
	}
	if failed == nil {
		s.move(j, ml.JobStatusFinalizing)
		if s.wait(j, s.o.Step) {
			s.move(j, ml.JobStatusCompleted)
			s.forget(j)
			return
		}
		s.move(j, ml.JobStatusCanceled)
		return
	}
	code := failed.process.Exit().Code
	if code < 0 {
		code = -map[string]int{"SIGKILL": 9, "SIGTERM": 15, "SIGSEGV": 11}[failed.process.Exit().Signal]
	}
	s.fail(j, "UserError", fmt.Sprintf("Execution failed. User process 'bash' exited with status code %d. Please check log file 'user_logs/std_log.txt' for error details.", code))
}

// forget removes the record of an ended job, if its life says so.
func (s *Server) forget(j *job) {
	d := millis(j.life.DeleteAfterMS)
	if d == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), d)
	s.lives.Go(func() {
		defer cancel()
		select {
		case <-ctx.Done():
			_ = s.adminDelete(j.name) // it may be gone already
		case <-s.stop:
		}
	})
}
