//go:build !front

package cli

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/stephost/stephost/host/launch"
)

const (
	// redraw is how often the status line may change: ten times a second is
	// as fast as anybody reads, and keeps a slow terminal free for the log.
	redraw = 100 * time.Millisecond
	// outBuffer gathers log lines for a pipe: few large writes instead of many
	// small ones.
	outBuffer = 256 << 10
)

// screen is where a command that watches a run prints: the step's stdout to
// stdout, everything else to stderr, with a status line below the log when
// stderr is a terminal. With JSON everything goes to stdout as lines.
//
// Two goroutines write: the one that copies the log, and the screen's own, which
// prints messages and the status. Nobody else waits for a terminal: tell and
// notice only put something into a queue.
type screen struct {
	json    bool
	name    string    // of the step and operator, for the status
	errFile *os.File  // stderr where it is a terminal: gets a status line
	errRaw  io.Writer // stderr, for colours
	shared  bool      // stdout is the same file, or a terminal as well: log lines move what stands there

	writing sync.Mutex // the fields up to the next comment
	out     *sink
	err     *sink
	last    *sink
	shown   bool // a status line stands on the terminal
	midLine bool // the log's last line before the next one of stephost's own is not ended
	drawn   string

	mu     sync.Mutex // the fields below
	queue  []func()   // printed by the screen's goroutine
	status launch.Notice
	fresh  bool
	note   string // progress of the present phase

	wake chan struct{}
	quit chan struct{}
	over sync.WaitGroup
}

// sink is one output. What cannot be written is dropped: a run never ends
// because nobody reads any more. That stdout could not be written is said at the
// end of the command.
type sink struct {
	w    *bufio.Writer
	gone error
}

func (s *sink) write(b []byte) {
	if s.gone != nil {
		return
	}
	if _, err := s.w.Write(b); err != nil {
		s.gone = err
	}
}

func (s *sink) flush() {
	if s.gone == nil {
		s.gone = s.w.Flush()
	}
}

func newScreen(a *app, name string) *screen {
	s := &screen{json: a.json(), name: name, errRaw: a.stderr,
		out: &sink{w: bufio.NewWriterSize(a.stdout, outBuffer)}, err: &sink{w: bufio.NewWriterSize(a.stderr, 4<<10)},
		shared: oneFile(a.stdout, a.stderr), wake: make(chan struct{}, 1), quit: make(chan struct{})}
	if f, ok := a.stderr.(*os.File); ok && terminal(f) && !s.json {
		s.errFile = f
		s.shared = s.shared || terminal(a.stdout)
	}
	s.over.Go(s.run)
	return s
}

// oneFile tells whether two outputs are one terminal, pipe or file, as with 2>&1.
func oneFile(a, b io.Writer) bool {
	if s, ok := a.(*stdout); ok {
		a = s.w
	}
	f, ok1 := a.(*os.File)
	g, ok2 := b.(*os.File)
	if !ok1 || !ok2 {
		return false
	}
	x, err := f.Stat()
	if err != nil {
		return false
	}
	y, err := g.Stat()
	return err == nil && os.SameFile(x, y)
}

// run prints what was told and keeps the status line fresh.
func (s *screen) run() {
	var tick <-chan time.Time
	if s.errFile != nil {
		t := time.NewTicker(redraw)
		defer t.Stop()
		tick = t.C
	}
	for {
		select {
		case <-s.quit:
			s.print()
			s.writing.Lock()
			s.erase()
			s.flush()
			s.writing.Unlock()
			return
		case <-s.wake:
			s.print()
		case <-tick:
			s.draw()
		}
	}
}

// close prints what is left and removes the status line.
func (s *screen) close() {
	close(s.quit)
	s.over.Wait()
}

// endLine ends a line of the log that has no end, before stephost says something of
// its own behind a closed screen.
func (s *screen) endLine() {
	if s.midLine && !s.json {
		fmt.Fprintln(s.errRaw)
		s.midLine = false
	}
}

func (s *screen) later(f func()) {
	s.mu.Lock()
	s.queue = append(s.queue, f)
	s.mu.Unlock()
	s.poke()
}

func (s *screen) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// print empties the queue.
func (s *screen) print() {
	s.mu.Lock()
	queue := s.queue
	s.queue = nil
	s.mu.Unlock()
	if len(queue) == 0 {
		return
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.erase()
	for _, f := range queue {
		f()
	}
	s.flush()
}

// line is one line of stephost's own on stderr.
func (s *screen) line(text string) {
	if s.midLine {
		text = "\n" + text
		s.midLine = false
	}
	s.turn(s.err)
	s.err.write([]byte(text + "\n"))
}

// tell prints a message when the terminal takes it. It never blocks.
func (s *screen) tell(format string, args ...any) { s.message("info", fmt.Sprintf(format, args...)) }

// warn is tell for what a person should know.
func (s *screen) warn(text string) { s.message("warning", text) }

func (s *screen) message(level, text string) {
	s.later(func() {
		switch {
		case s.json:
			s.turn(s.out)
			s.out.write(jsonBytes(noticeLine{Version: streamVersion, Type: "notice", Level: level, Message: text}))
		case level == "warning":
			s.line("Warning: " + harmless(text))
		case level == "progress":
			s.line("-- " + harmless(text) + " --")
		default:
			s.line(harmless(text))
		}
	})
}

// notice takes what the run does. It never blocks.
func (s *screen) notice(n launch.Notice) {
	switch n.Kind {
	case launch.Warning:
		s.warn(n.Message)
	case launch.Progress:
		if s.errFile == nil {
			s.message("progress", n.Message)
			return
		}
		s.mu.Lock()
		s.note, s.fresh = n.Message, true
		s.mu.Unlock()
		s.poke()
	default:
		s.mu.Lock()
		moved := n.Phase != s.status.Phase || n.Reason != s.status.Reason || n.Attempt != s.status.Attempt
		if moved {
			s.note = ""
		}
		s.status, s.fresh = n, true
		s.mu.Unlock()
		switch {
		case s.json:
			s.later(func() {
				s.turn(s.out)
				s.out.write(jsonBytes(statusOf(n)))
			})
		case s.errFile == nil && moved:
			s.later(func() { s.line(statusPlain(s.name, n)) })
		default:
			s.poke()
		}
	}
}

// turn keeps the order of two outputs that are one file.
func (s *screen) turn(to *sink) {
	if s.last != nil && s.last != to {
		s.last.flush()
	}
	s.last = to
}

// flush hands everything to the system.
func (s *screen) flush() {
	s.out.flush()
	s.err.flush()
}

// erase removes the status line.
func (s *screen) erase() {
	if s.shown {
		s.turn(s.err)
		s.err.write([]byte("\r\x1b[K"))
		s.err.flush()
		s.shown, s.drawn = false, ""
	}
}

// draw writes the status line where it changed.
func (s *screen) draw() {
	s.mu.Lock()
	n, note, any := s.status, s.note, s.fresh
	s.mu.Unlock()
	if s.errFile == nil || !any {
		return
	}
	text := cut(statusText(s.name, n, note, time.Now()), s.width())
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.midLine || s.shown && text == s.drawn {
		return
	}
	s.turn(s.err)
	s.err.write([]byte("\r\x1b[K" + paint(s.errRaw, dim, text)))
	s.flush()
	s.shown, s.drawn = true, text
}

// narrow is the width of a terminal that does not tell its own.
const narrow = 80

func (s *screen) width() int {
	if w, _, err := term.GetSize(int(s.errFile.Fd())); err == nil && w > 1 {
		return w - 1 // a full line would wrap on some terminals
	}
	return narrow
}
