package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/stephost/stephost/host/catalog"
	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/internal/installed"
)

// app is one invocation: its streams, its global flags and the catalog, which is
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

	cat  *catalog.Catalog
	exit int    // exit code of a command that has printed its own outcome
	kept string // where what belongs on stdout can be seen again; for the error when it cannot be written

	engine // what the host program has besides, and the front has not
}

// catalog makes the catalog; it opens nothing.
func (a *app) catalog() (*catalog.Catalog, error) {
	if a.cat != nil {
		return a.cat, nil
	}
	at, err := home.Find()
	if err != nil {
		return nil, err
	}
	a.cat = catalog.New(catalog.Options{Home: at, Shipped: installed.Path("plugins"), Once: true})
	return a.cat, nil
}

// json tells whether the output is for programs.
func (a *app) json() bool { return a.output == "json" }

// terminal tells whether w is a terminal that a person looks at.
func terminal(w io.Writer) bool {
	if s, ok := w.(*stdout); ok {
		w = s.w
	}
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
func Main(args []string, in io.Reader, out, errs io.Writer) int {
	debug.SetGCPercent(gcPercent)
	to := &stdout{w: out}
	a := &app{stdin: in, stdout: to, stderr: errs}
	defer a.end()
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(to)
	root.SetErr(errs)
	cmd, err := root, a.begin()
	if err == nil {
		cmd, err = root.ExecuteContextC(context.Background())
	}
	code := a.exit
	if err != nil {
		code = problem.Exit
		if lost := to.lost(""); lost == nil || !errors.Is(err, lost.Err) {
			a.ended(cmd, err)
		}
	}
	if lost := to.lost(a.kept); lost != nil {
		a.output = "text" // there is nothing but stderr to say it on
		a.problem(lost)
		if code == 0 {
			code = problem.Exit
		}
	}
	return code
}

// command is a cobra command with the habits that all share.
func command(use, short string, c cobra.Command) *cobra.Command {
	c.Use, c.Short = use, short
	c.SilenceErrors, c.SilenceUsage = true, true
	c.DisableFlagsInUseLine = true
	return &c
}
