package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

const (
	// readyBound is for a machine under load; two to five seconds are normal.
	readyBound = 3 * time.Minute
	// pollEvery is how often something is asked whether it is ready.
	pollEvery = 25 * time.Millisecond
)

// set is a set of processes that live and die together.
type set struct {
	k8s, dir string
	// dual: pods have an IPv6 address, too.
	dual bool
	all  []*component
	// onKill and onStart follow a component's life: a port that is forwarded to
	// a dead server must refuse, not hang.
	onKill, onStart map[string]func() error
}

// component is one process of the set.
type component struct {
	name  string
	argv  []string
	ready func() error // nil = nothing to wait for
	cmd   *exec.Cmd
	ended chan struct{}
}

func newSet(k8s, dir string) *set {
	return &set{k8s: k8s, dir: dir, onKill: map[string]func() error{}, onStart: map[string]func() error{}}
}

func (s *set) path(elem ...string) string { return filepath.Join(append([]string{s.dir}, elem...)...) }

// run adds a component and starts it.
func (s *set) run(name string, ready func() error, argv ...string) error {
	c := &component{name: name, argv: argv, ready: ready}
	s.all = append(s.all, c)
	return s.start(c)
}

// start starts a component and waits until it is ready. Its output is appended
// to log/NAME.
func (s *set) start(c *component) error {
	log, err := os.OpenFile(s.path("log", c.name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(c.argv[0], c.argv[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	c.cmd, c.ended = cmd, make(chan struct{})
	go func(ended chan struct{}) {
		_ = cmd.Wait()
		close(ended)
	}(c.ended)
	if c.ready == nil {
		return nil
	}
	return s.await(c.name, c.ready)
}

// await asks until ready says nil, a component has died, or the bound is over.
func (s *set) await(name string, ready func() error) error {
	deadline := time.Now().Add(readyBound)
	for {
		err := ready()
		if err == nil {
			return nil
		}
		for _, c := range s.all {
			select {
			case <-c.ended:
				return fmt.Errorf("%s ended (%s):\n%s", c.name, c.cmd.ProcessState, s.tail(c.name))
			default:
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is not ready: %w\n%s", name, err, s.tail(name))
		}
		time.Sleep(pollEvery)
	}
}

// tail is the end of a component's log.
func (s *set) tail(name string) string {
	const most = 4 << 10
	data, _ := os.ReadFile(s.path("log", name))
	return string(data[max(0, len(data)-most):])
}

// obey does one command of a test.
func (s *set) obey(verb, name string) error {
	i := slices.IndexFunc(s.all, func(c *component) bool { return c.name == name })
	if i < 0 {
		return fmt.Errorf("no component %q", name)
	}
	c := s.all[i]
	switch verb {
	case "kill":
		if f := s.onKill[name]; f != nil {
			if err := f(); err != nil {
				return err
			}
		}
		s.kill(c)
		s.all = slices.Delete(s.all, i, i+1) // await must not complain about it
		s.all = append(s.all, &component{name: name, argv: c.argv, ready: c.ready, ended: make(chan struct{})})
		return nil
	case "start":
		if c.cmd != nil {
			return errors.New(name + " runs")
		}
		if err := s.start(c); err != nil {
			return err
		}
		if f := s.onStart[name]; f != nil {
			return f()
		}
		return nil
	case "freeze":
		return c.signal(syscall.SIGSTOP)
	case "thaw":
		return c.signal(syscall.SIGCONT)
	}
	return fmt.Errorf("unknown verb %q", verb)
}

func (c *component) signal(sig syscall.Signal) error {
	if c.cmd == nil {
		return errors.New(c.name + " does not run")
	}
	return c.cmd.Process.Signal(sig)
}

func (s *set) kill(c *component) {
	if c.cmd != nil {
		_ = c.cmd.Process.Kill()
		<-c.ended
	}
}

// killAll kills the last started first: an API server that outlives its etcd
// never ends by itself, but nothing here waits for anybody's own way out.
func (s *set) killAll() {
	for _, c := range slices.Backward(s.all) {
		s.kill(c)
	}
}
