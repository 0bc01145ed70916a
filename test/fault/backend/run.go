package backend

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// run starts the job's process and waits for its end.
func (b *Backend) run(j *job) (outcome, error) {
	stdout, err := os.OpenFile(j.log("stdout", j.Restarts), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return broken, err
	}
	defer stdout.Close()
	stderr, err := os.OpenFile(j.log("stderr", j.Restarts), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return broken, err
	}
	defer stderr.Close()
	if n := j.faults.FloodLines; n > 0 {
		w := bufio.NewWriterSize(stdout, 64<<10)
		for i := range n {
			fmt.Fprintf(w, "flood line %d of %s\n", i+1, j.ID)
		}
		if err := w.Flush(); err != nil {
			return broken, err
		}
	}
	cmd := exec.Command(j.request.Argv[0], j.request.Argv[1:]...)
	cmd.Dir = j.request.Dir
	if cmd.Dir == "" {
		cmd.Dir = j.dir
	}
	cmd.Env = j.environ()
	cmd.Stdout, cmd.Stderr = stdout, stderr
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(stderr, err)
		return exited, err
	}
	b.mu.Lock()
	j.PID = cmd.Process.Pid
	_ = j.store()
	b.mu.Unlock()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	how, err := b.attend(j, cmd, ended)
	killGroup(cmd) // what the step left behind
	return how, err
}

// attend waits for the end of a process, or brings it about.
func (b *Backend) attend(j *job, cmd *exec.Cmd, ended <-chan error) (outcome, error) {
	var preempt, again <-chan time.Time
	if d := ms(j.faults.PreemptAfterMS); d > 0 {
		preempt = time.After(d)
	}
	if d := ms(j.faults.RestartAfterMS); d > 0 && j.Restarts < j.faults.Restarts {
		again = time.After(d)
	}
	kill := func(how outcome) (outcome, error) {
		killGroup(cmd)
		<-ended
		return how, nil
	}
	select {
	case err := <-ended:
		return exited, err
	case <-preempt:
		return kill(preempted)
	case <-again:
		return kill(restart)
	case <-b.ctx.Done():
		return kill(broken)
	case <-j.stop:
	}
	termGroup(cmd)
	grace := time.NewTimer(j.grace)
	defer grace.Stop()
	select {
	case <-ended:
		return stopped, nil
	case <-grace.C:
	case <-b.ctx.Done():
	}
	return kill(stopped)
}

// environ is what the step sees: a small baseline, its own variables, secrets.
func (j *job) environ() []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "STEPHOST_OUTPUT_DIR=" + j.outputs()}
	for k, v := range j.request.Env {
		env = append(env, k+"="+v)
	}
	for k, v := range j.request.Secrets {
		env = append(env, k+"="+v)
	}
	return env
}
