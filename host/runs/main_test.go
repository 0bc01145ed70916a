package runs

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// childEnv makes the test binary one of the other processes: children()[value].
const childEnv = "STEPHOST_RUNS_TEST_CHILD"

// hang is how long a test waits for another process before it gives up; far
// above what a loaded machine needs.
const hang = 60 * time.Second

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		if err := children()[name](context.Background(), os.Args[1:]); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// children are the lives of the other processes in these tests.
func children() map[string]func(ctx context.Context, args []string) error {
	return map[string]func(ctx context.Context, args []string) error{
		// create DIR TOKEN: waits for its stdin, creates, prints ID and created.
		"create": func(ctx context.Context, args []string) error {
			s, err := Open(ctx, args[0], Options{})
			if err != nil {
				return err
			}
			fmt.Println("ready")
			_, _ = io.Copy(io.Discard, os.Stdin)
			r, created, err := s.Create(ctx, NewRun{Token: args[1]})
			if err != nil {
				return err
			}
			fmt.Println(r.ID, created)
			return s.Close()
		},
		// claim DIR ID: waits for its stdin's first line, claims, prints the
		// outcome, holds the run until its stdin ends.
		"claim": func(ctx context.Context, args []string) error {
			s, err := Open(ctx, args[0], Options{})
			if err != nil {
				return err
			}
			o, err := NewOwner(ctx, s.owners)
			if err != nil {
				return err
			}
			fmt.Println("ready", o.ID())
			in := bufio.NewReader(os.Stdin)
			_, _ = in.ReadString('\n')
			if c, err := s.Claim(ctx, args[1], o, ClaimOptions{}); err != nil {
				fmt.Printf("refused %T\n", err)
			} else {
				fmt.Println("won", c.Fence())
			}
			_, _ = io.Copy(io.Discard, in)
			return o.Close()
		},
		// delete DIR ID...: deletes all of them, whoever else does.
		"delete": func(ctx context.Context, args []string) error {
			s, err := Open(ctx, args[0], Options{})
			if err != nil {
				return err
			}
			n := 0
			for _, id := range args[1:] {
				switch err := s.Delete(ctx, id); err.(type) {
				case nil:
					n++
				case *NotFoundError:
				default:
					return err
				}
			}
			fmt.Println("deleted", n)
			return s.Close()
		},
		// update DIR ID: claims and counts in Values, printing each number once
		// it is stored, until it is killed.
		"update": func(ctx context.Context, args []string) error {
			s, err := Open(ctx, args[0], Options{})
			if err != nil {
				return err
			}
			o, err := NewOwner(ctx, s.owners)
			if err != nil {
				return err
			}
			c, err := s.Claim(ctx, args[1], o, ClaimOptions{})
			if err != nil {
				return err
			}
			for n := counter(c.Run()) + 1; ; n++ {
				err := c.Update(ctx, Relaxed, func(r *Run) ([]Event, error) { return count(r, n), nil })
				if err != nil {
					return err
				}
				fmt.Println(n)
			}
		},
	}
}

// child is another process of this test.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func startChild(t *testing.T, name string, args ...string) *child {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	c := &child{cmd: exec.Command(self, args...)}
	c.cmd.Env = append(os.Environ(), childEnv+"="+name)
	c.cmd.Stderr = os.Stderr
	c.in, err = c.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := c.cmd.StdoutPipe()
	require.NoError(t, err)
	c.out = bufio.NewScanner(out)
	require.NoError(t, c.cmd.Start())
	stop := time.AfterFunc(hang, func() { _ = c.cmd.Process.Kill() })
	t.Cleanup(func() {
		stop.Stop()
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	})
	return c
}

// line is the child's next line, "" at its end.
func (c *child) line() string {
	if !c.out.Scan() {
		return ""
	}
	return strings.TrimSpace(c.out.Text())
}

// newStore is an empty store with its owners beside it.
func newStore(t testing.TB) *Store {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "runs")
	require.NoError(t, os.Mkdir(dir, 0o700))
	return openStore(t, dir, Options{})
}

func openStore(t testing.TB, dir string, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func newOwner(t testing.TB, s *Store) *Owner {
	t.Helper()
	o, err := NewOwner(t.Context(), s.owners)
	require.NoError(t, err)
	t.Cleanup(func() { _ = o.Close() })
	return o
}

// claimed is a new run with its claim.
func claimed(t testing.TB, s *Store, n NewRun) *Claim {
	t.Helper()
	c, _, err := s.CreateClaimed(t.Context(), n, newOwner(t, s))
	require.NoError(t, err)
	require.NotNil(t, c)
	return c
}

// to moves a run along the arrows and returns the last error.
func to(t testing.TB, c *Claim, states ...State) error {
	t.Helper()
	for _, st := range states {
		err := c.Update(context.Background(), Relaxed, func(r *Run) ([]Event, error) { step(r, st); return nil, nil })
		if err != nil {
			return err
		}
	}
	return nil
}

// step does what a launch does on the way to a state.
func step(r *Run, st State) {
	r.State = st
	switch st {
	case Prepared:
		if r.Current() == nil {
			r.Attempts = append(r.Attempts, Attempt{Number: 1, Key: "key1-" + r.ID})
		}
		r.Current().Request, r.Current().RequestDigest = []byte("request"), "digest"
	case Submitted:
		r.Current().Handle, r.Current().HandleVersion = []byte("handle"), 1
	case Ended:
		r.Verdict = &Verdict{Class: "system"}
	}
}

func count(r *Run, n int) []Event {
	r.StateReason = fmt.Sprint(n)
	return []Event{{Kind: "count", Message: fmt.Sprint(n)}}
}

func counter(r *Run) (n int) {
	_, _ = fmt.Sscan(r.StateReason, &n)
	return n
}
