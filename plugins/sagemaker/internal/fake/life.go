package fake

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/container"
)

// maxFailure is how much of the failure file becomes FailureReason.
const maxFailure = 1024

// shimPath is the init process of built images.
const shimPath = "/.stephost/init"

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

func (s *Server) move(j *job, status, secondary, message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j.status == "Stopping" && status == "InProgress" {
		return // a job that is being stopped stays so until it is over
	}
	j.move(status, secondary, message)
}

func (s *Server) fail(j *job, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(reason) > maxFailure {
		reason = reason[:maxFailure]
	}
	j.failure = reason
	j.move("Failed", "Failed", "Training job failed")
}

// live is the life of a job.
func (s *Server) live(j *job) {
	if !s.begin(j) {
		s.stopped(j)
		return
	}
	s.mu.Lock()
	over := j.over
	s.mu.Unlock()
	if over {
		return
	}
	for {
		again, ok := s.train(j)
		if !ok {
			s.stopped(j)
			return
		}
		if !again {
			return
		}
	}
}

// begin goes through the states before the step starts.
func (s *Server) begin(j *job) bool {
	if !s.wait(j, s.o.Step+millis(j.life.QueuedMS)) {
		return false
	}
	if j.life.NoCapacity {
		s.move(j, "InProgress", "Starting", "Insufficient capacity error from EC2 while launching instances, retrying!")
		if !s.wait(j, s.o.Step) {
			return false
		}
		s.fail(j, "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type.")
		return true
	}
	s.move(j, "InProgress", "Starting", "Preparing the instances for training")
	if !s.wait(j, s.o.Step+millis(j.life.ProvisioningMS)) {
		return false
	}
	s.move(j, "InProgress", "Downloading", "Downloading the training image")
	if !s.wait(j, s.o.Step) {
		return false
	}
	switch {
	case j.life.NoImage:
		s.fail(j, "ClientError: Failed to pull the training image: the repository does not exist or the role may not read it")
	case j.life.Broken:
		s.fail(j, "InternalServerError: We encountered an internal error. Please try again.")
	}
	return true
}

// train runs the step once on all instances. again: the service starts it anew;
// ok = false: it is to be stopped.
func (s *Server) train(j *job) (again, ok bool) {
	nodes, err := s.start(j)
	if err != nil {
		s.fail(j, "InternalServerError: "+err.Error())
		return false, true
	}
	s.move(j, "InProgress", "Training", "Training image download completed. Training in progress.")
	limit := time.NewTimer(time.Duration(aws.ToInt32(j.request.StoppingCondition.MaxRuntimeInSeconds)) * time.Second)
	defer limit.Stop()
	var taken, restart <-chan time.Time
	if d := millis(j.life.PreemptAfterMS); d > 0 && j.starts == 1 {
		taken = time.After(d)
	}
	if d := millis(j.life.RestartAfterMS); d > 0 && j.starts <= j.life.Restarts {
		restart = time.After(d)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for _, n := range nodes {
			<-n.process.Done()
			// One node that fails ends the job.
			if n.process.Exit().Code != 0 {
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
	spot := aws.ToBool(j.request.EnableManagedSpotTraining)
	select {
	case <-ended:
		s.finish(j, nodes)
		return false, true
	case <-taken:
		kill()
		if !spot {
			s.fail(j, "InternalServerError: the instance was taken away")
			return false, true
		}
		return s.again(j)
	case <-restart:
		kill()
		return s.again(j)
	case <-limit.C:
		s.mu.Lock()
		s.halt(j, "MaxRuntimeExceeded")
		s.mu.Unlock()
	case <-j.stopping:
	case <-s.stop:
		kill()
		return false, true
	}
	if !s.pause(millis(j.life.CancelMS)) {
		kill()
		return false, true
	}
	for _, n := range nodes {
		n.process.End(s.o.Grace)
	}
	<-ended
	return false, false
}

func (s *Server) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.stop:
		return false
	}
}

// again is an interruption of spot instances.
func (s *Server) again(j *job) (again, ok bool) {
	s.move(j, "InProgress", "Interrupted", "Training job execution interrupted")
	if !s.wait(j, s.o.Step) {
		return false, false
	}
	s.move(j, "InProgress", "Starting", "Launching requested ML instances")
	return true, s.wait(j, s.o.Step)
}

// start starts one process for each instance.
func (s *Server) start(j *job) ([]*node, error) {
	a := j.request.AlgorithmSpecification
	s.mu.Lock()
	start := j.starts
	s.mu.Unlock()
	var nodes []*node
	for i := range int(aws.ToInt32(j.request.ResourceConfig.InstanceCount)) {
		dir := s.dir(j, i, start)
		img, err := container.Pull(context.Background(), aws.ToString(a.TrainingImage), nil)
		if err == nil {
			err = img.Unpack(dir)
		}
		if err != nil {
			return nil, fmt.Errorf("the image %s: %w", aws.ToString(a.TrainingImage), err)
		}
		ml := filepath.Join(dir, "opt", "ml") // of the image where there is one
		for _, d := range []string{"model", "output", "input/config", "checkpoints"} {
			if err := os.MkdirAll(filepath.Join(ml, d), 0o700); err != nil {
				return nil, err
			}
		}
		argv := append(append([]string{}, a.ContainerEntrypoint...), a.ContainerArguments...)
		if argv[0] == shimPath && s.o.Shim != "" && img == nil {
			argv[0] = s.o.Shim
		}
		env := map[string]string{"PATH": os.Getenv("PATH"), "HOME": dir, "TRAINING_JOB_NAME": j.name, "AWS_REGION": j.region}
		for k, v := range j.request.Environment {
			// What a container sees as /opt/ml is a directory of the job's here.
			if img == nil && (v == "/opt/ml" || strings.HasPrefix(v, "/opt/ml/")) {
				v = ml + strings.TrimPrefix(v, "/opt/ml")
			}
			env[k] = v
		}
		if env[pluginsdk.ShimRankFrom] != "" {
			// There is no /opt/ml/input/config here for the shim to read: the same
			// facts go another way.
			env[pluginsdk.ShimRankFrom], env["MASTER_ADDR"] = pluginsdk.ShimRankAzureML, "127.0.0.1"
			env["WORLD_SIZE"], env["NODE_RANK"] = strconv.Itoa(int(aws.ToInt32(j.request.ResourceConfig.InstanceCount))), strconv.Itoa(i)
		}
		command := cloudfake.Command{Argv: argv, Env: env}
		if img != nil {
			delete(env, "PATH") // the image has one
			env["HOME"] = "/root"
			command = img.Command(dir, argv, env)
		}
		p, err := s.runner.Start(dir, command)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, &node{process: p, stream: fmt.Sprintf("%s/algo-%d-%d", j.name, i+1, time.Now().UnixNano())})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j.starts++
	j.nodes = append(j.nodes, nodes...)
	if j.started.IsZero() {
		j.started = time.Now()
	}
	return nodes, nil
}

// finish is the end of a step that ended by itself.
func (s *Server) finish(j *job, nodes []*node) {
	var failed *node
	for _, n := range nodes {
		if e := n.process.Exit(); e.Code != 0 && (failed == nil || failed.process.Exit().Signal == "SIGKILL") {
			failed = n
		}
	}
	s.move(j, "InProgress", "Uploading", "Uploading generated training model")
	s.upload(j, nodes[0])
	if failed == nil {
		s.move(j, "Completed", "Completed", "Training job completed")
		s.forget(j)
		return
	}
	text, _ := os.ReadFile(filepath.Join(filepath.Dir(failed.process.Path("log")), "opt", "ml", "output", "failure"))
	code := failed.process.Exit().Code
	if code < 0 {
		const bySignal = 128
		code = bySignal + map[string]int{"SIGKILL": 9, "SIGTERM": 15, "SIGSEGV": 11}[failed.process.Exit().Signal]
	}
	s.fail(j, fmt.Sprintf("AlgorithmError: %s, exit code: %d", text, code))
	s.forget(j)
}

// stopped is the end of a job that was stopped.
func (s *Server) stopped(j *job) {
	s.mu.Lock()
	var first *node
	if len(j.nodes) > 0 {
		first = j.nodes[0]
	}
	why := j.why
	s.mu.Unlock()
	if first != nil {
		s.upload(j, first)
	}
	if why == "" {
		return // the fake itself ends
	}
	s.mu.Lock()
	j.move("Stopped", why, "Training job stopped")
	s.mu.Unlock()
	s.forget(j)
}

// forget removes the record of an ended job, if its life says so.
func (s *Server) forget(j *job) {
	if d := millis(j.life.DeleteAfterMS); d > 0 {
		s.lives.Go(func() {
			if s.pause(d) {
				_ = s.adminDelete(j.name)
			}
		})
	}
}

func (j *job) artifacts() string {
	out := strings.TrimRight(aws.ToString(j.request.OutputDataConfig.S3OutputPath), "/") + "/" + j.name + "/output/"
	if j.request.OutputDataConfig.CompressionType == "NONE" {
		return out + "model/"
	}
	return out + "model.tar.gz"
}

// upload puts what the step left into the bucket.
func (s *Server) upload(j *job, n *node) {
	root := filepath.Join(filepath.Dir(n.process.Path("log")), "opt", "ml", "model")
	to := strings.TrimPrefix(j.artifacts(), "s3://")
	put := func(key, path string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.objects[key] = path
	}
	if !strings.HasSuffix(to, "/") {
		path := filepath.Join(filepath.Dir(root), "model.tar.gz")
		if archive(root, path) == nil {
			put(to, path)
		}
		return
	}
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			name, _ := filepath.Rel(root, path)
			put(to+filepath.ToSlash(name), path)
		}
		return nil
	})
}

func archive(root, path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	z := gzip.NewWriter(f)
	t := tar.NewWriter(z)
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		if err := t.WriteHeader(&tar.Header{Name: filepath.ToSlash(name), Size: info.Size(), Mode: 0o644}); err != nil {
			return err
		}
		in, err := os.Open(path)
		if err != nil {
			return err
		}
		defer in.Close()
		_, err = io.Copy(t, in)
		return err
	})
	if err != nil {
		return err
	}
	if err := t.Close(); err != nil {
		return err
	}
	return z.Close()
}
