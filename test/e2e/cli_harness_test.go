//go:build unix

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/gofrs/flock"
	"github.com/stretchr/testify/require"
)

// hang ends what does not come back; it is no expectation of speed.
const hang = 2 * time.Minute

// lab is a home with one operator of the local flavor.
type lab struct {
	t    *testing.T
	bin  string
	home string
	dir  string
	env  []string
}

func newLab(t *testing.T) *lab {
	l := &lab{t: t, bin: stephost(t), home: t.TempDir(), dir: t.TempDir()}
	l.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + l.dir, "STEPHOST_HOME=" + l.home, "XDG_STATE_HOME=" + t.TempDir(), "TERM=xterm"}
	t.Cleanup(l.quiet)
	l.must("operator", "register", "here", "--flavor=local")
	return l
}

// quiet waits until no follower lives: nothing may write into a directory that
// is being removed.
func (l *lab) quiet() {
	lock := flock.New(filepath.Join(l.home, "owners", "follower"))
	require.Eventually(l.t, func() bool {
		got, err := lock.TryLock()
		return err != nil || got
	}, hang, 20*time.Millisecond, "the follower does not end")
	_ = lock.Close()
}

func (l *lab) command(args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	l.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, l.bin, args...)
	cmd.Dir, cmd.Env = l.dir, l.env
	return cmd
}

// must runs a command that succeeds, and returns its stdout.
func (l *lab) must(args ...string) string {
	l.t.Helper()
	out, errs, code := l.run(args...)
	require.Equal(l.t, 0, code, "%v\n%s", args, errs)
	return out
}

func (l *lab) run(args ...string) (stdout, stderr string, code int) {
	l.t.Helper()
	var out, errs bytes.Buffer
	cmd := l.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	code = codeOf(l.t, cmd.Run())
	return out.String(), errs.String(), code
}

func codeOf(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	require.NoError(t, err)
	return 0
}

// launch is a launch that runs in the background of the test.
type launch struct {
	lab      *lab
	cmd      *exec.Cmd
	out, err *buffer
	pty      *os.File // when it sits on a terminal; then out holds everything
	copied   chan struct{}
}

// start starts a launch in a pipe.
func (l *lab) start(args ...string) *launch {
	l.t.Helper()
	p := &launch{lab: l, cmd: l.command(args...), out: &buffer{}, err: &buffer{}}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.err
	require.NoError(l.t, p.cmd.Start())
	return p
}

// startTerminal starts a launch on a terminal of its own.
func (l *lab) startTerminal(args ...string) *launch {
	l.t.Helper()
	p := &launch{lab: l, cmd: l.command(args...), out: &buffer{}, err: &buffer{}, copied: make(chan struct{})}
	f, err := pty.StartWithSize(p.cmd, &pty.Winsize{Rows: 24, Cols: 100})
	require.NoError(l.t, err)
	p.pty = f
	l.t.Cleanup(func() { _ = f.Close() })
	go func() {
		defer close(p.copied)
		_, _ = p.out.ReadFrom(f) // ends with EIO when the terminal is closed
	}()
	return p
}

func (p *launch) signal(s syscall.Signal) { require.NoError(p.lab.t, p.cmd.Process.Signal(s)) }

// wait is the exit code.
func (p *launch) wait() int {
	p.lab.t.Helper()
	code := codeOf(p.lab.t, p.cmd.Wait())
	if p.copied != nil {
		<-p.copied
	}
	return code
}

// sees waits until a text was printed.
func (p *launch) sees(text string) {
	p.lab.t.Helper()
	require.Eventually(p.lab.t, func() bool {
		return strings.Contains(p.out.String(), text) || strings.Contains(p.err.String(), text)
	}, hang, 5*time.Millisecond, "it never says %q:\n%s%s", text, p.out, p.err)
}

// buffer is written by one goroutine and read by another.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) ReadFrom(f *os.File) (int64, error) {
	part := make([]byte, 4096)
	for n := int64(0); ; {
		got, err := f.Read(part)
		_, _ = b.Write(part[:got])
		n += int64(got)
		if err != nil {
			return n, err
		}
	}
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// step is a shell step that witnesses by itself that it ran: its file gets its
// process ID.
type step struct {
	l    *lab
	file string
	argv []string
}

func (l *lab) step(script string) step {
	file := filepath.Join(l.t.TempDir(), "witness")
	return step{l, file, []string{"--operator", "here", "--", "sh", "-c", "echo $$ >> " + file + "; " + script}}
}

// launch is the arguments of a launch of this step.
func (s step) launch(flags ...string) []string {
	return append(append([]string{"launch"}, flags...), s.argv...)
}

// pids are the processes that ran it.
func (s step) pids() []int {
	data, err := os.ReadFile(s.file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	require.NoError(s.l.t, err)
	var out []int
	for _, f := range strings.Fields(string(data)) {
		n, err := strconv.Atoi(f)
		require.NoError(s.l.t, err)
		out = append(out, n)
	}
	return out
}

// started waits until the step runs.
func (s step) started() {
	s.l.t.Helper()
	require.Eventually(s.l.t, func() bool { return len(s.pids()) > 0 }, hang, 5*time.Millisecond, "the step never starts")
}

// alive tells whether a process of the step lives.
func (s step) alive() bool {
	for _, pid := range s.pids() {
		if syscall.Kill(pid, 0) == nil {
			return true
		}
	}
	return false
}

// record is the newest run as JSON output tells it.
type record struct {
	Run      string `json:"run"`
	State    string `json:"state"`
	Detached bool   `json:"detached"`
	Cancel   *struct{ Cause, By string }
	Verdict  *struct {
		Class    string
		ExitCode *int `json:"exit_code"`
	}
	Attempts []struct{ Number int }
}

func (l *lab) runs() []record {
	l.t.Helper()
	var doc struct{ Items []record }
	require.NoError(l.t, json.Unmarshal([]byte(l.must("run", "list", "--output", "json")), &doc))
	return doc.Items
}

// only is the one run of this home.
func (l *lab) only() record {
	l.t.Helper()
	list := l.runs()
	require.Len(l.t, list, 1)
	return list[0]
}
