package group

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"
)

const (
	// grace is what a tool gets between the polite signal and the hard one:
	// package installers remove their temporary files in well under a second.
	grace = 2 * time.Second
	// drain bounds the wait for output after the tool has ended: a descendant
	// that left the group may hold the pipe for ever.
	drain = 2 * time.Second
	// tailLines and lineLimit bound what is kept.
	tailLines = 400
	lineLimit = 4 << 10
	// captureLimit bounds Outcome.Stdout.
	captureLimit = 1 << 20
)

// Command says what to run.
type Command struct {
	Argv []string
	Dir  string
	Env  []string
	// Hold is an empty file that is kept open in the tool and in what it starts, for
	// as long as any of it lives. It is their standard input too: that is what tools
	// hand on to their children, while they close what else they have.
	Hold *os.File
	// Capture keeps standard output apart, in Outcome.Stdout.
	Capture bool
	// Line gets each line of output as it comes, from one goroutine. It may be
	// nil.
	Line func(string)
}

// Outcome is what a tool left.
type Outcome struct {
	// Tail holds the last lines of output (standard error alone when captured).
	Tail []string
	// Stdout is set by Capture, cut at 1 MiB.
	Stdout []byte
	// Code is the exit code, -1 when a signal ended it.
	Code int
}

// Run runs the command to its end. A code other than 0 is an *exec.ExitError;
// when the context ended, the error is its cause.
func Run(ctx context.Context, c Command) (*Outcome, error) {
	out := &Outcome{Code: -1}
	if err := ctx.Err(); err != nil {
		return out, context.Cause(ctx)
	}
	cmd := exec.Command(c.Argv[0], c.Argv[1:]...)
	cmd.Dir, cmd.Env = c.Dir, c.Env
	if c.Hold != nil && runtime.GOOS != "windows" {
		cmd.Stdin, cmd.ExtraFiles = c.Hold, []*os.File{c.Hold}
	}
	setGroup(cmd)
	readers := &readers{}
	lines, err := readers.open(func(r io.Reader) { out.Tail = scanLines(r, c.Line) })
	if err != nil {
		return out, err
	}
	cmd.Stdout, cmd.Stderr = lines, lines
	if c.Capture {
		if cmd.Stdout, err = readers.open(func(r io.Reader) {
			out.Stdout, _ = io.ReadAll(io.LimitReader(r, captureLimit))
			io.Copy(io.Discard, r)
		}); err != nil {
			readers.abandon()
			return out, err
		}
	}
	err = startAndWait(ctx, cmd, readers.started)
	readers.finish()
	if cmd.ProcessState != nil {
		out.Code = cmd.ProcessState.ExitCode()
	}
	if ctx.Err() != nil {
		return out, context.Cause(ctx)
	}
	return out, err
}

// startAndWait runs the process from one thread: on Linux the signal that ends
// a child with its parent is sent when the THREAD that started it ends.
func startAndWait(ctx context.Context, cmd *exec.Cmd, started func()) error {
	done := make(chan error, 1)
	k := &killer{}
	begun := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started()
		if err != nil {
			close(begun)
			done <- err
			return
		}
		k.set(cmd)
		close(begun)
		waitExited(cmd)
		k.sweep()
		done <- cmd.Wait()
		k.sweepLate()
	}()
	<-begun
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	k.polite()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
	}
	k.hard()
	return <-done
}

// killer signals the group, never after the leader was reaped: then its number
// may belong to somebody else.
type killer struct {
	mu     sync.Mutex
	cmd    *exec.Cmd
	reaped bool
}

func (k *killer) set(cmd *exec.Cmd) { k.mu.Lock(); k.cmd = cmd; k.mu.Unlock() }

func (k *killer) polite() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cmd != nil && !k.reaped {
		terminate(k.cmd)
	}
}

func (k *killer) hard() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cmd != nil && !k.reaped {
		kill(k.cmd)
	}
}

// sweep kills what the leader left in its group. The leader has ended but is
// not reaped yet, so the number of the group is still its own.
func (k *killer) sweep() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if waitsUnreaped {
		kill(k.cmd)
		k.reaped = true
	}
}

// sweepLate marks the leader as reaped where sweep could not.
func (k *killer) sweepLate() { k.mu.Lock(); k.reaped = true; k.mu.Unlock() }

// readers own the pipes.
type readers struct {
	wg     sync.WaitGroup
	ours   []*os.File
	theirs []*os.File
	once   sync.Once
}

func (p *readers) open(read func(io.Reader)) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.ours, p.theirs = append(p.ours, r), append(p.theirs, w)
	p.wg.Go(func() { read(r) })
	return w, nil
}

// started closes the tool's ends, so that the readers see its end.
func (p *readers) started() {
	p.once.Do(func() {
		for _, w := range p.theirs {
			w.Close()
		}
	})
}

func (p *readers) finish() {
	p.started()
	for _, r := range p.ours {
		_ = r.SetReadDeadline(time.Now().Add(drain)) // not supported: the pipe's end must do
	}
	p.wg.Wait()
	for _, r := range p.ours {
		r.Close()
	}
}

func (p *readers) abandon() { p.finish() }

// scanLines hands lines on and keeps the last ones. A carriage return ends a
// line too: installers draw progress bars with it.
func scanLines(r io.Reader, line func(string)) []string {
	var tail []string
	br := bufio.NewReaderSize(r, lineLimit)
	emit := func(s string) {
		for part := range strings.SplitSeq(s, "\r") {
			if part = strings.TrimRight(strings.ToValidUTF8(part, "?"), " \n"); part == "" {
				continue
			}
			if len(tail) == tailLines {
				tail = tail[1:]
			}
			tail = append(tail, part)
			if line != nil {
				line(part)
			}
		}
	}
	for {
		b, err := br.ReadSlice('\n')
		emit(string(b))
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return tail
		}
	}
}
