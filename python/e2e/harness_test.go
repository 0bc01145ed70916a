package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/launch"
	"github.com/stephost/stephost/host/registry"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/runs/spool"
	"github.com/stephost/stephost/host/schema"
)

// hang ends what does not come back; it is no expectation of speed.
const hang = 2 * time.Minute

// install bounds making the virtual environment from a package index.
const install = 10 * time.Minute

const (
	example  = "../../examples/python-flavor/flavor.py"
	detached = "testdata/detached.py"
)

// world is a home with one flavor in Python and the operator "op".
type world struct {
	t       *testing.T
	ctx     context.Context
	home    home.Home
	flavor  *registry.Flavor
	notices chan launch.Notice
}

func newWorld(t *testing.T, path, config string) *world {
	newVenv(t).use(t)
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	t.Cleanup(cancel)
	w := &world{t: t, ctx: ctx, home: home.At(shortDir(t)), notices: make(chan launch.Notice, 1000)}
	h := w.host()
	var err error
	w.flavor, err = h.Registry().Register(ctx, path, registry.RegisterOptions{})
	require.NoError(t, err)
	_, err = h.Registry().PutOperatorText(ctx, fmt.Appendf(nil, "operator \"op\" {\n  flavor = %q\n%s\n}\n", w.flavor.Name, config), registry.WriteOptions{})
	require.NoError(t, err)
	return w
}

// shortDir is a directory with a short name: sockets lie below it.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "py")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	return dir
}

func (w *world) host() *host.Host {
	h := host.New(host.Options{Home: w.home, Notify: func(n launch.Notice) {
		select {
		case w.notices <- n:
		default:
		}
	}})
	w.t.Cleanup(func() { assert.NoError(w.t, h.Close(context.Background())) })
	return h
}

// started is a run that this process drives.
type started struct {
	*host.Launched
	done chan ended
}

type ended struct {
	run *runs.Run
	err error
}

// start launches a step that runs a shell script.
func (w *world) start(h *host.Host, script, more string) *started {
	return w.startArgv(h, []string{"sh", "-c", script}, more)
}

func (w *world) startArgv(h *host.Host, argv []string, more string) *started {
	quoted := make([]string, len(argv))
	for i, a := range argv {
		quoted[i] = strings.NewReplacer("${", "$${", "%{", "%%{").Replace(strconv.Quote(a))
	}
	text := fmt.Sprintf("step \"train\" {\n  operator = \"op\"\n  command = [%s]\n%s\n}\n", strings.Join(quoted, ", "), more)
	p, _, err := h.Project(w.ctx, host.ProjectOptions{Dir: w.t.TempDir(), Files: []string{"-"}, Stdin: strings.NewReader(text)})
	require.NoError(w.t, err)
	sel, err := h.Select(w.ctx, host.StepRequest{Project: p, Step: "train", Stage: schema.StageLaunch})
	require.NoError(w.t, err)
	l, err := h.Launch(w.ctx, host.LaunchRequest{Selection: sel})
	require.NoError(w.t, err)
	s := &started{l, make(chan ended, 1)}
	go func() {
		r, err := l.Wait(w.ctx)
		s.done <- ended{r, err}
	}()
	return s
}

// wait returns the verdict.
func (w *world) wait(s *started) *runs.Verdict {
	e := <-s.done
	s.done <- e // for whoever asks again
	require.NoError(w.t, e.err)
	require.NotNil(w.t, e.run.Verdict, "state %s", e.run.State)
	return e.run.Verdict
}

// log reads one stream of the run's log, and counts the gaps of all.
func (w *world) log(l *host.Session, stream string) (text string, gaps int) {
	reader, err := l.Log(w.ctx, spool.ReadOptions{})
	require.NoError(w.t, err)
	defer func() { _ = reader.Close() }()
	var b strings.Builder
	for {
		rec, err := reader.Next(w.ctx)
		if errors.Is(err, io.EOF) {
			return b.String(), gaps
		}
		require.NoError(w.t, err)
		switch {
		case rec.Kind == spool.KindEntry && rec.Source.Stream == stream:
			b.Write(rec.Entry.Data)
		case rec.Kind == spool.KindGap:
			gaps++
		}
	}
}

// eventually waits until f holds.
func (w *world) eventually(what string, f func() bool) {
	w.t.Helper()
	require.Eventually(w.t, f, hang, 20*time.Millisecond, what)
}

// file waits for a file that the step writes, and returns its words.
func (w *world) file(path string) []string {
	var words []string
	w.eventually("the step writes "+filepath.Base(path), func() bool {
		data, err := os.ReadFile(path)
		words = strings.Fields(string(data))
		return err == nil && strings.HasSuffix(string(data), "\n")
	})
	return words
}

// alive tells whether a process exists and is no zombie.
func alive(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// plugins are the plugin processes of this test process.
func plugins(t *testing.T) []int {
	entries, err := os.ReadDir("/proc")
	require.NoError(t, err)
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		_, rest, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(rest)
		if strings.HasPrefix(string(comm), "stephost-") && len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid()) && fields[0] != "Z" {
			pids = append(pids, pid)
		}
	}
	return pids
}
