package cloudfake

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/stephost/stephost/internal/gobuild"
)

const (
	// startTimeout bounds the start of a fake on a machine under load.
	startTimeout = 30 * time.Second
	// endTimeout bounds its end; behind it the process is killed.
	endTimeout = 15 * time.Second
)

// Build builds a main package of the module in dir, and returns the program. The
// go tool leaves a program alone that is up to date; processes that build at the
// same time wait for each other.
func Build(ctx context.Context, dir, pkg, name string) (string, error) {
	cache := filepath.Join(os.TempDir(), "stephost-fakes-"+strconv.Itoa(os.Getuid()))
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return "", err
	}
	if info, err := os.Stat(cache); err != nil || info.Mode().Perm()&0o022 != 0 {
		return "", errors.Join(err, fmt.Errorf("%s can be written by others: programs from it are not run", cache))
	}
	lock := flock.New(filepath.Join(cache, name+".lock"))
	if err := lock.Lock(); err != nil {
		return "", err
	}
	defer lock.Unlock() //nolint:errcheck // the end of the process unlocks as well
	out := filepath.Join(cache, name)
	return out, gobuild.Build(ctx, gobuild.Program{Dir: dir, Pkg: pkg, Out: out})
}

// Fake is a running fake.
type Fake struct {
	*Client
	// Endpoints by name; "http" is the service and Client.URL.
	Endpoints map[string]string
	// Dir holds its state.
	Dir string

	program string
	args    []string
	cmd     *exec.Cmd
}

// Start starts a program whose main is Main, on the directory dir.
func Start(ctx context.Context, program, dir string, args ...string) (*Fake, error) {
	f := &Fake{Client: &Client{}, Dir: dir, program: program, args: args}
	return f, f.start(ctx, "127.0.0.1:0")
}

func (f *Fake) start(ctx context.Context, address string) error {
	f.cmd = exec.Command(f.program, append([]string{"-listen", address, "-dir", f.Dir}, f.args...)...)
	f.cmd.Stderr = os.Stderr
	stdout, err := f.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := f.cmd.Start(); err != nil {
		return err
	}
	type first struct {
		line string
		err  error
	}
	said := make(chan first, 1)
	go func() {
		line, err := bufio.NewReader(stdout).ReadString('\n')
		said <- first{line, err}
	}()
	timer := time.NewTimer(startTimeout)
	defer timer.Stop()
	select {
	case s := <-said:
		rest, ok := strings.CutPrefix(s.line, "ready ")
		switch {
		case s.err != nil:
			err = s.err
		case !ok:
			err = fmt.Errorf("the fake said %q", s.line)
		default:
			err = json.Unmarshal([]byte(rest), &f.Endpoints)
		}
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = errors.New("the fake did not start in time")
	}
	if err != nil {
		f.Kill()
		return err
	}
	f.URL = f.Endpoints["http"]
	return nil
}

// PID of the fake's process.
func (f *Fake) PID() int { return f.cmd.Process.Pid }

// Stop ends the fake and every process that it started.
func (f *Fake) Stop() error {
	f.Close()
	if err := f.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- f.cmd.Wait() }()
	timer := time.NewTimer(endTimeout)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		_ = f.cmd.Process.Kill()
		<-done
		return errors.New("the fake did not end in time and was killed")
	}
}

// Kill kills the fake; its processes end with it.
func (f *Fake) Kill() {
	_ = f.cmd.Process.Kill()
	_ = f.cmd.Wait()
}

// Restart ends the fake and starts it again, at the same address and on the same
// directory. What it remembers is its own matter.
func (f *Fake) Restart(ctx context.Context) error {
	address := strings.TrimPrefix(f.Endpoints["http"], "http://")
	if err := f.Stop(); err != nil {
		return err
	}
	return f.start(ctx, address)
}
