package crowd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/launch"
	"github.com/stephost/stephost/host/registry"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/runs/spool"
	"github.com/stephost/stephost/host/schema"
	"github.com/stephost/stephost/test/fault/wire"
)

const (
	// LogLines is what each job prints.
	LogLines = 100
	// holdMS is how long a job runs unless it is released: longer than any
	// benchmark.
	holdMS = 3_600_000
	// quietLimit bounds the wait for goroutines to end after Close.
	quietLimit = 10 * time.Second
	// pollPause is between two looks at something that takes a while.
	pollPause = 20 * time.Millisecond
	// readersAtOnce bounds how many logs are looked through at the same time.
	readersAtOnce = 8
)

// Options of a crowd.
type Options struct {
	Home home.Home
	// Socket is the backend's.
	Socket string
	// Operator is registered in Home already.
	Operator string
	Runs     int
	// Hold keeps the jobs running until everything was measured; else they end
	// by themselves at once.
	Hold bool
	// Full, if not nil, is called while all are running.
	Full func() error
}

// Memory of a moment.
type Memory struct {
	// RSS of the host process and of its plugins, in bytes, after a garbage
	// collection.
	RSS, PluginRSS int64
	// Go is heap and stacks in use, in bytes.
	Go int64
	// Goroutines of the host process.
	Goroutines int
}

// Result of a crowd.
type Result struct {
	Runs int
	// Before is the host without a run, Full the host with all of them running
	// (only with Hold), After when all is closed.
	Before, Full, After Memory
	// Launched is the time until all were running, Ended that from the release,
	// or without Hold from the start, until all were over.
	Launched, Ended time.Duration
}

// Prepare registers the flavor and the operator in a home.
func Prepare(ctx context.Context, at home.Home, plugin, flavor, operator, socket string) error {
	r := registry.New(at, registry.Options{})
	if _, err := r.Register(ctx, plugin, registry.RegisterOptions{}); err != nil {
		return err
	}
	text := fmt.Appendf(nil, "operator %q {\n  flavor = %q\n  config {\n    socket = %q\n  }\n}\n", operator, flavor, socket)
	_, err := r.PutOperatorText(ctx, text, registry.WriteOptions{})
	return err
}

// Step is the step of each run, as HCL.
func Step(operator string, hold bool) string {
	length := 0
	if hold {
		length = holdMS
	}
	return fmt.Sprintf(`step "member" {
  operator = %q
  command  = ["true"]
  settings {
    noop    = true
    lines   = %d
    noop_ms = %d
  }
}
`, operator, LogLines, length)
}

type member struct {
	launched *host.Launched
	run      *runs.Run
	err      error
}

type crowd struct {
	o       Options
	h       *host.Host
	members []member
	wait    sync.WaitGroup

	mu      sync.Mutex
	running map[string]bool
	over    int // runs that have ended, well or not
	failed  error
}

// Run drives a crowd from start to end.
func Run(ctx context.Context, o Options) (res *Result, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &crowd{o: o, members: make([]member, o.Runs), running: map[string]bool{}}
	c.h = host.New(host.Options{Home: o.Home, Notify: c.notify})
	closed := false
	defer func() {
		if !closed {
			cancel()
			c.wait.Wait()
			err = errors.Join(err, c.h.Close(context.Background()))
		}
	}()
	res = &Result{Runs: o.Runs}
	if res.Before, err = measure(); err != nil {
		return nil, err
	}
	began := time.Now()
	for i := range c.members {
		c.wait.Go(func() {
			c.members[i].live(ctx, c)
			c.ended(c.members[i].err)
		})
	}
	if o.Hold {
		if err := c.untilRunning(ctx); err != nil {
			return nil, err
		}
		res.Launched = time.Since(began)
		if err := c.logsArrive(ctx); err != nil {
			return nil, err
		}
		if res.Full, err = measure(); err != nil {
			return nil, err
		}
		if o.Full != nil {
			if err := o.Full(); err != nil {
				return nil, err
			}
		}
		began = time.Now()
		if err := c.letGo(ctx); err != nil {
			return nil, err
		}
	}
	c.wait.Wait()
	res.Ended = time.Since(began)
	if err := c.check(ctx); err != nil {
		return nil, err
	}
	c.members = nil
	closed = true
	if err := c.h.Close(ctx); err != nil {
		return nil, err
	}
	until := time.Now().Add(quietLimit)
	for runtime.NumGoroutine() > res.Before.Goroutines && time.Now().Before(until) {
		time.Sleep(pollPause)
	}
	res.After, err = measure()
	return res, err
}

func (c *crowd) notify(n launch.Notice) {
	if n.Phase != "running" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running[n.Run] = true
}

// live is Launch and Wait, as an orchestrator's thread would call them.
func (m *member) live(ctx context.Context, c *crowd) {
	p, _, err := c.h.Project(ctx, host.ProjectOptions{Dir: c.o.Home.Root(), Files: []string{"-"}, Stdin: strings.NewReader(Step(c.o.Operator, c.o.Hold))})
	if err != nil {
		m.err = err
		return
	}
	sel, err := c.h.Select(ctx, host.StepRequest{Project: p, Step: "member", Stage: schema.StageLaunch})
	if err != nil {
		m.err = err
		return
	}
	if m.launched, m.err = c.h.Launch(ctx, host.LaunchRequest{Selection: sel}); m.err != nil {
		return
	}
	m.run, m.err = m.launched.Wait(ctx)
}

func (c *crowd) ended(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over++
	c.failed = errors.Join(c.failed, err)
}

// untilRunning waits until all are running, or the first has ended.
func (c *crowd) untilRunning(ctx context.Context) error {
	for {
		c.mu.Lock()
		running, over, err := len(c.running), c.over, c.failed
		c.mu.Unlock()
		if over > 0 {
			return fmt.Errorf("%d runs ended before %d were running: %w", over, c.o.Runs, err)
		}
		if running == c.o.Runs {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d runs are running: %w", running, c.o.Runs, ctx.Err())
		case <-time.After(pollPause):
		}
	}
}

// logsArrive waits until each spool holds the whole log so far.
func (c *crowd) logsArrive(ctx context.Context) error {
	for _, m := range c.members {
		if m.launched == nil {
			return fmt.Errorf("a run was not launched: %w", m.err)
		}
	}
	slots := make(chan struct{}, readersAtOnce)
	errs := make(chan error, len(c.members))
	for _, m := range c.members {
		go func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			for {
				n, err := m.logLines(ctx)
				if err == nil && n < LogLines {
					err = ctx.Err()
					time.Sleep(pollPause)
					if err == nil {
						continue
					}
				}
				errs <- err
				return
			}
		}()
	}
	var all error
	for range c.members {
		all = errors.Join(all, <-errs)
	}
	return all
}

func (m member) logLines(ctx context.Context) (int, error) {
	r, err := m.launched.Log(ctx, spool.ReadOptions{})
	if err != nil {
		return 0, err
	}
	defer func() { _ = r.Close() }()
	n := 0
	for {
		rec, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if rec.Kind == spool.KindEntry {
			n += strings.Count(string(rec.Entry.Data), "\n")
		}
	}
}

// letGo ends the jobs at the backend.
func (c *crowd) letGo(ctx context.Context) error {
	client := wire.NewClient(c.o.Socket)
	defer client.Close()
	jobs, err := client.AllJobs(ctx)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if wire.Over(j.State) {
			continue
		}
		if err := client.Cancel(ctx, j.ID, 0, true); err != nil {
			return err
		}
	}
	return nil
}

// check looks at how each run ended.
func (c *crowd) check(ctx context.Context) error {
	want := "succeeded"
	if c.o.Hold {
		want = "cancelled" // letGo
	}
	for i, m := range c.members {
		switch {
		case m.err != nil:
			return fmt.Errorf("run %d: %w", i, m.err)
		case m.run == nil || m.run.Verdict == nil:
			return fmt.Errorf("run %d has no verdict", i)
		case m.run.Verdict.Class != want:
			return fmt.Errorf("run %d ended as %s: %s", i, m.run.Verdict.Class, m.run.Verdict.Message)
		}
		n, err := m.logLines(ctx)
		if err != nil {
			return fmt.Errorf("the log of run %d: %w", i, err)
		}
		if n != LogLines {
			return fmt.Errorf("the log of run %d has %d lines", i, n)
		}
	}
	return nil
}

func measure() (Memory, error) {
	// The first collection only marks pooled buffers for release; FreeOSMemory
	// collects once more and gives the pages back, so that the resident set is
	// what is held and not what was needed at the worst moment.
	runtime.GC()
	debug.FreeOSMemory()
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	m := Memory{Go: int64(ms.HeapInuse + ms.StackInuse), Goroutines: runtime.NumGoroutine()}
	var err error
	m.RSS, m.PluginRSS, err = resident()
	return m, err
}
