package kube

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// endBound bounds the end of a supervisor whose standard input was closed:
// killing, and removing control groups.
const endBound = 30 * time.Second

// supervisor is a running kubeup.
type supervisor struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines chan line
	notes *tail

	mu sync.Mutex // one command at a time
}

// line is what kubeup says.
type line struct {
	PID                                                int
	Ready                                              bool
	Kubeconfig, Server, Server6, Registry, Image, Node string
	Done, Error                                        string
}

// startSupervisor starts kubeup and fills c when the cluster is ready. env says
// which containerd is the node's (the first one in PATH), what its kubelet keeps of
// logs, and whether pods have two addresses.
func startSupervisor(ctx context.Context, program string, args, env []string, c *Cluster) (*supervisor, error) {
	s := &supervisor{cmd: exec.Command(program, args...), lines: make(chan line), notes: &tail{}}
	s.cmd.Env = append(os.Environ(), env...)
	s.cmd.Stderr = s.notes
	stdin, err := s.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	s.stdin = stdin
	go s.read(stdout)
	for {
		select {
		case l, ok := <-s.lines:
			switch {
			case !ok:
				_ = s.cmd.Wait()
				return nil, fmt.Errorf("the cluster did not start: %s", s.notes)
			case l.PID != 0:
				c.PID = l.PID
			case l.Ready:
				c.Kubeconfig, c.Server, c.Server6, c.Registry, c.Image, c.NodeName = l.Kubeconfig, l.Server, l.Server6, l.Registry, l.Image, l.Node
				return s, nil
			}
		case <-ctx.Done():
			_ = s.close()
			return nil, fmt.Errorf("the cluster did not start: %w: %s", ctx.Err(), s.notes)
		}
	}
}

func (s *supervisor) read(stdout io.Reader) {
	defer close(s.lines)
	in := bufio.NewScanner(stdout)
	for in.Scan() {
		var l line
		if err := json.Unmarshal(in.Bytes(), &l); err != nil {
			l.Error = fmt.Sprintf("kubeup said %q", in.Text())
		}
		s.lines <- l
	}
}

// command sends a command and waits for its end.
func (s *supervisor) command(verb, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := fmt.Fprintln(s.stdin, verb, name); err != nil {
		return err
	}
	l, ok := <-s.lines
	switch {
	case !ok:
		return fmt.Errorf("the cluster is gone: %s", s.notes)
	case l.Error != "":
		return errors.New(l.Error)
	}
	return nil
}

// close ends kubeup by its lifeline, and by force if that does not help.
func (s *supervisor) close() error {
	_ = s.stdin.Close()
	timer := time.AfterFunc(endBound, func() { _ = s.cmd.Process.Kill() })
	defer timer.Stop()
	for range s.lines { // until it closes its stdout
	}
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("the cluster did not end well: %w: %s", err, s.notes)
	}
	return nil
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	const most = 16 << 10
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-most):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}
