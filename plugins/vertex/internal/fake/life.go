package fake

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"google.golang.org/grpc/codes"

	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/container"
)

// node is one replica.
type node struct {
	pool, replica int
	root          string // of its image, "" = the machine's own file system
	process       *cloudfake.Process
}

func (n *node) task() string { return fmt.Sprintf("workerpool%d-%d", n.pool, n.replica) }

const (
	failed    = aiplatformpb.JobState_JOB_STATE_FAILED
	running   = aiplatformpb.JobState_JOB_STATE_RUNNING
	pending   = aiplatformpb.JobState_JOB_STATE_PENDING
	succeeded = aiplatformpb.JobState_JOB_STATE_SUCCEEDED
	cancelled = aiplatformpb.JobState_JOB_STATE_CANCELLED
)

// live is the life of a job.
func (js *jobs) live(j *job) {
	region := strings.Split(j.msg.GetName(), "/")[3]
	if j.life.QueuedMS > 0 {
		if !js.waits(j, ms(j.life.QueuedMS)) {
			return
		}
		js.move(j, pending)
	}
	wait := provisioning
	if j.life.ProvisioningMS > 0 {
		wait = ms(j.life.ProvisioningMS)
	}
	if !js.waits(j, wait) {
		return
	}
	switch {
	case j.life.NoCapacity:
		js.end(j, failed, codes.ResourceExhausted, "Resources are insufficient in region: "+region+". Please try a different region or use a different accelerator.")
		return
	case j.life.NoImage:
		js.end(j, failed, codes.InvalidArgument, "Failed to pull the image "+j.request.GetCustomJob().GetJobSpec().GetWorkerPoolSpecs()[0].GetContainerSpec().GetImageUri()+": it was not found or access was denied.")
		return
	case j.life.Broken:
		js.end(j, failed, codes.Internal, "Internal error occurred for the current attempt. Please retry in a few minutes.")
		return
	}
	js.run(j)
}

// waits waits before the start; false = it was cancelled.
func (js *jobs) waits(j *job, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-j.cancel:
		time.Sleep(ms(j.life.CancelMS))
		js.end(j, cancelled, 0, "")
		return false
	}
}

func (js *jobs) move(j *job, to aiplatformpb.JobState) {
	js.mu.Lock()
	defer js.mu.Unlock()
	if j.msg.GetState() != aiplatformpb.JobState_JOB_STATE_CANCELLING {
		js.state(j, to)
	}
}

// run starts the containers and waits for the end.
func (js *jobs) run(j *job) {
	if err := js.start(j); err != nil {
		js.end(j, failed, codes.Internal, err.Error())
		return
	}
	js.move(j, running)
	var limit, preempt <-chan time.Time
	if t := j.msg.GetJobSpec().GetScheduling().GetTimeout(); t != nil {
		limit = time.After(t.AsDuration())
	}
	if j.life.PreemptAfterMS > 0 {
		preempt = time.After(ms(j.life.PreemptAfterMS))
	}
	ended := make(chan *node, len(j.nodes))
	for _, n := range j.nodes {
		go func() { <-n.process.Done(); ended <- n }()
	}
	for range j.nodes {
		select {
		case n := <-ended:
			e := n.process.Exit()
			if e.Code != 0 || e.Signal != "" {
				j.stop(0)
				js.end(j, failed, codes.InvalidArgument, exitText(n, e))
				return
			}
			if n.pool == 0 {
				j.stop(cancelGrace)
				js.end(j, succeeded, 0, "")
				return
			}
		case <-limit:
			j.stop(cancelGrace)
			js.end(j, failed, codes.DeadlineExceeded, "The job exceeded its timeout and was stopped.")
			return
		case <-preempt:
			j.stop(0)
			js.end(j, failed, codes.ResourceExhausted, "STOCKOUT: the machines of the job were preempted.")
			return
		case <-j.cancel:
			time.Sleep(ms(j.life.CancelMS))
			j.stop(cancelGrace)
			js.end(j, cancelled, 0, "")
			return
		}
	}
	js.end(j, succeeded, 0, "")
}

// stop ends every container and waits for it.
func (j *job) stop(grace time.Duration) {
	for _, n := range j.nodes {
		if grace == 0 {
			n.process.Kill()
		} else {
			n.process.End(grace)
		}
	}
	for _, n := range j.nodes {
		<-n.process.Done()
		if n.root != "" {
			_ = j.objects.collect(n.root) // what cannot be copied is missed by the test
		}
	}
}

func exitText(n *node, e cloudfake.Exit) string {
	status := strconv.Itoa(e.Code)
	if e.Signal != "" {
		status = fmt.Sprintf("%d(%s)", map[string]int{"SIGKILL": 9, "SIGSEGV": 11, "SIGTERM": 15}[e.Signal], e.Signal)
	}
	return fmt.Sprintf("The replica %s exited with a non-zero status of %s. Termination reason: Error. To find out more about why your job exited please check the logs.", n.task(), status)
}

// start starts the containers of all replicas.
func (js *jobs) start(j *job) error {
	spec := j.msg.GetJobSpec()
	cluster := map[string][]string{}
	for p, pool := range spec.GetWorkerPoolSpecs() {
		name := fmt.Sprintf("workerpool%d", p)
		for range pool.GetReplicaCount() {
			cluster[name] = append(cluster[name], "127.0.0.1:2222")
		}
	}
	id := j.msg.GetName()[strings.LastIndexByte(j.msg.GetName(), '/')+1:]
	for p, pool := range spec.GetWorkerPoolSpecs() {
		for r := range int(pool.GetReplicaCount()) {
			n := &node{pool: p, replica: r}
			dir := filepath.Join(js.s.dir, "jobs", id, n.task())
			command, err := js.s.command(pool.GetContainerSpec(), serviceEnv(spec, cluster, n), dir)
			if err != nil {
				return err
			}
			n.root = command.Root
			process, err := js.s.runner.Start(dir, command)
			if err != nil {
				return err
			}
			n.process = process
			js.mu.Lock()
			j.nodes = append(j.nodes, n)
			j.starts++
			js.mu.Unlock()
		}
	}
	return nil
}

// command is what a container runs: in the image's own file system, or in the
// machine's, where the buckets are not at /gcs.
func (s *server) command(c *aiplatformpb.ContainerSpec, env map[string]string, dir string) (cloudfake.Command, error) {
	env, argv := containerOf(c, env)
	root := filepath.Join(dir, "root")
	img, err := container.Pull(context.Background(), c.GetImageUri(), nil)
	if err == nil {
		err = img.Unpack(root)
	}
	if err != nil {
		return cloudfake.Command{}, fmt.Errorf("the image %s: %w", c.GetImageUri(), err)
	}
	if img != nil {
		return img.Command(root, argv, env), os.MkdirAll(filepath.Join(root, "gcs", Bucket), 0o777)
	}
	argv[0] = s.program(argv[0])
	for name, value := range env {
		env[name] = s.objects.mount(value)
	}
	return cloudfake.Command{Argv: argv, Env: env}, nil
}

// program is what stands for a program of the image.
func (s *server) program(name string) string {
	if name == "/.stephost/init" && s.shim != "" {
		return s.shim
	}
	return name
}

// serviceEnv are the variables that the service sets.
func serviceEnv(spec *aiplatformpb.CustomJobSpec, cluster map[string][]string, n *node) map[string]string {
	text, _ := json.Marshal(map[string]any{
		"cluster": cluster, "environment": "cloud",
		"task": map[string]any{"type": fmt.Sprintf("workerpool%d", n.pool), "index": n.replica},
	})
	env := map[string]string{"CLUSTER_SPEC": string(text)}
	if base := spec.GetBaseOutputDirectory().GetOutputUriPrefix(); base != "" {
		base = strings.TrimSuffix(base, "/")
		env["AIP_MODEL_DIR"], env["AIP_CHECKPOINT_DIR"], env["AIP_TENSORBOARD_LOG_DIR"] = base+"/model/", base+"/checkpoints/", base+"/logs/"
	}
	return env
}

// containerOf is the environment and the command of a container, with references
// to variables replaced as Kubernetes does it.
func containerOf(c *aiplatformpb.ContainerSpec, env map[string]string) (map[string]string, []string) {
	for _, v := range c.GetEnv() {
		env[v.GetName()] = expand(v.GetValue(), env)
	}
	var command []string
	for _, a := range append(append([]string{}, c.GetCommand()...), c.GetArgs()...) {
		command = append(command, expand(a, env))
	}
	return env, command
}

// expand replaces $(NAME) where NAME is known, and makes one "$" of two.
func expand(text string, env map[string]string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '$' || i+1 == len(text) {
			out.WriteByte(text[i])
			continue
		}
		switch text[i+1] {
		case '$':
			out.WriteByte('$')
			i++
			continue
		case '(':
			if end := strings.IndexByte(text[i:], ')'); end > 0 {
				if value, ok := env[text[i+2:i+end]]; ok {
					out.WriteString(value)
					i += end
					continue
				}
			}
		}
		out.WriteByte('$')
	}
	return out.String()
}
