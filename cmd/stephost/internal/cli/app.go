package cli

import (
	"context"
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/launch"
	"github.com/stephost/stephost/internal/installed"
)

// app is one invocation: its streams, its global flags and the host, which is
// made when a command first asks for it.
type app struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer

	output      string // --output: "text" or "json"
	dir         string // -C
	files       []string
	vars        []string
	varFiles    []string
	unsafeStore bool
	panics      panics
	attach      []string          // --attach-plugin
	attached    map[string]string // directories of plugins under a debugger, by flavor; made by host

	h      *host.Host
	notify func(launch.Notice) // set by commands that watch a run, before host()
	exit   int                 // exit code of a command that has printed its own outcome
}

// host makes the host; it opens nothing.
func (a *app) host() (*host.Host, error) {
	if a.h != nil {
		return a.h, nil
	}
	at, err := home.Find()
	if err != nil {
		return nil, err
	}
	if a.attached, err = a.attachments(); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	log, levels, err := hostLog(a.stderr, os.Getenv(envLog))
	if err != nil {
		return nil, err
	}
	a.h = host.New(host.Options{Home: at, Shipped: installed.Dir("plugins"), Log: log, LogLevels: levels, UnsafeStore: a.unsafeStore,
		Attach: a.attached, Panicked: a.panics.add, Relay: []string{self, relayName},
		Notify: func(n launch.Notice) {
			if a.notify != nil {
				a.notify(n)
			}
		}})
	return a.h, nil
}

// closeBound bounds ending what was started; plugins that do not end by
// themselves are killed well before.
const closeBound = 20 * time.Second

func (a *app) close() {
	if a.h == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeBound)
	defer cancel()
	if err := a.h.Close(ctx); err != nil {
		a.problem(err)
	}
}

// json tells whether the output is for programs.
func (a *app) json() bool { return a.output == "json" }

// terminal tells whether w is a terminal that a person looks at.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

// color tells whether w gets colours: a terminal, unless NO_COLOR is set
// (no-color.org).
func color(w io.Writer) bool { return terminal(w) && os.Getenv("NO_COLOR") == "" }

// gcPercent lets the heap of a command that lives for milliseconds grow to five
// times what lives before it is collected: a launch otherwise collects once,
// on the way to the plugin's first answer.
const gcPercent = 400

// Main runs the command line and returns its exit code. It does not exit, so
// that everything that was started is ended first.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	debug.SetGCPercent(gcPercent)
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr}
	defer a.panics.write(a.stderr) // the last word, after the plugins have ended
	defer a.close()
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.ExecuteContext(context.Background()); err != nil {
		a.problem(err)
		return host.ExitStephost
	}
	return a.exit
}

// command is a cobra command with the habits that all share.
func command(use, short string, c cobra.Command) *cobra.Command {
	c.Use, c.Short = use, short
	c.SilenceErrors, c.SilenceUsage = true, true
	c.DisableFlagsInUseLine = true
	return &c
}
