package fault

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/stephost/stephost/test/fault/wire"
)

const (
	// startTimeout bounds the start of the backend on a machine under load.
	startTimeout = 30 * time.Second
	// endTimeout bounds its end; behind it the process is killed.
	endTimeout = 15 * time.Second
)

// Backend is a running backend. Its Client injects faults and tells what really
// happened.
type Backend struct {
	*wire.Client
	// Socket goes into the operator's config.
	Socket string
	// Dir holds its state: jobs/<number>-<id>/{job.json,stdout.<epoch>,...}.
	Dir string

	program string
	cmd     *exec.Cmd
	sockets string
}

// Start starts a backend on an empty directory.
func (p *Programs) Start(ctx context.Context, dir string) (*Backend, error) {
	// A socket's path is limited to about 100 bytes, and test directories are
	// longer than that.
	sockets, err := os.MkdirTemp("", "fb")
	if err != nil {
		return nil, err
	}
	b := &Backend{Dir: dir, Socket: filepath.Join(sockets, "s"), program: p.Backend, sockets: sockets}
	b.Client = wire.NewClient(b.Socket)
	return b, b.start(ctx)
}

func (b *Backend) start(ctx context.Context) error {
	b.cmd = exec.Command(b.program, "-socket", b.Socket, "-dir", b.Dir)
	b.cmd.Stderr = os.Stderr
	stdout, err := b.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := b.cmd.Start(); err != nil {
		return err
	}
	ready := make(chan error, 1)
	go func() {
		line, err := bufio.NewReader(stdout).ReadString('\n')
		if err == nil && line != "ready\n" {
			err = fmt.Errorf("the backend said %q", line)
		}
		ready <- err
	}()
	timer := time.NewTimer(startTimeout)
	defer timer.Stop()
	select {
	case err = <-ready:
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = errors.New("the backend did not start in time")
	}
	if err != nil {
		_ = b.cmd.Process.Kill()
		_ = b.cmd.Wait()
	}
	return err
}

// PID of the backend's process.
func (b *Backend) PID() int { return b.cmd.Process.Pid }

// Stop ends the backend and every process that it began.
func (b *Backend) Stop() error {
	b.Close()
	err := b.end()
	return errors.Join(err, os.RemoveAll(b.sockets))
}

func (b *Backend) end() error {
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- b.cmd.Wait() }()
	timer := time.NewTimer(endTimeout)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		_ = b.cmd.Process.Kill()
		<-done
		return errors.New("the backend did not end in time and was killed")
	}
}

// Restart ends the backend and starts it again on the same state.
func (b *Backend) Restart(ctx context.Context) error {
	b.Close()
	if err := b.end(); err != nil {
		return err
	}
	return b.start(ctx)
}

// ForStep adds faults for every job of the step with this name.
func (b *Backend) ForStep(ctx context.Context, step string, f wire.Faults) error {
	return b.AddRule(ctx, wire.FaultRule{Label: wire.LabelStep, Value: step, Faults: f})
}

// ForToken adds faults for every attempt of a run.
func (b *Backend) ForToken(ctx context.Context, token string, f wire.Faults) error {
	return b.AddRule(ctx, wire.FaultRule{Label: wire.LabelToken, Value: token, Faults: f})
}

// ForAll adds faults for every job that no newer rule names.
func (b *Backend) ForAll(ctx context.Context, f wire.Faults) error {
	return b.AddRule(ctx, wire.FaultRule{Faults: f})
}

// Starts counts, by key, how often the backend started something.
func (b *Backend) Starts(ctx context.Context) (map[string]int, error) {
	jobs, err := b.AllJobs(ctx)
	starts := map[string]int{}
	for _, j := range jobs {
		starts[j.Labels[wire.LabelKey]] += j.Starts
	}
	return starts, err
}
