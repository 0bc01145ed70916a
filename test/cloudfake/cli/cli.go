// Package cli is what the tests of the flavors of clouds have in common that use
// the stephost command line, the plugin's real binary and the fake, each a process
// of its own.
//
//	Main    builds all of them, the plugin with a short settling time
//	Lab     a home for stephost, with its commands
//	Fakes   a fake for each world of package torture
//
// Nothing here needs to be an image of a container, or to be root: see package
// digits for that.
package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/internal/pyenv"
	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/cloudtest"
	"github.com/stephost/stephost/test/torture"
)

// hang ends what does not come back; an image may be built with what a package
// index has.
const hang = 10 * time.Minute

// Main is the TestMain of plugins/NAME's tests with the command line. also are
// changes of its manifest: see torture.ShortSettle.
func Main(m *testing.M, into *cloudtest.Programs, name string, also ...string) {
	code, err := run(m, into, name, also)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M, into *cloudtest.Programs, name string, also []string) (code int, err error) {
	dir, err := os.MkdirTemp("", name+"-e2e")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	// Before the settling time is changed: the fake is what it is everywhere.
	if *into, err = cloudtest.Build(context.Background(), name); err != nil {
		return 1, err
	}
	if err := torture.ShortSettle(dir, "plugins/"+name, also...); err != nil {
		return 1, err
	}
	return torture.Main(m, "plugins/"+name), nil
}

// Lab is a home for the stephost that Main has built.
type Lab struct {
	t *testing.T
	// Dir is HOME and the working directory.
	Dir string
}

// New makes one.
func New(t *testing.T) *Lab {
	dir, err := os.MkdirTemp("", "cl") // short, because sockets lie below it
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return &Lab{t: t, Dir: dir}
}

// Run runs stephost. What leads to a package index goes on to it.
func (l *Lab) Run(args ...string) (code int, stdout, stderr string) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	cmd := l.Command(ctx, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // the exit code tells
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// Command is stephost, not started yet.
func (l *Lab) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, torture.Stephost(), args...)
	cmd.Dir = l.Dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + l.Dir, "TMPDIR=" + os.TempDir(), "STEPHOST_HOME=" + filepath.Join(l.Dir, "home")},
		pyenv.IndexEnviron()...)
	return cmd
}

// OK runs a command that succeeds.
func (l *Lab) OK(args ...string) (stdout string) {
	l.t.Helper()
	code, stdout, stderr := l.Run(args...)
	require.Zero(l.t, code, "stephost %s\n%s%s", strings.Join(args, " "), stdout, stderr)
	return stdout
}

// Flat is a message without its line breaks and capitals.
func Flat(text string) string { return strings.ToLower(strings.Join(strings.Fields(text), " ")) }

// Fakes are those of the worlds of package torture, which live side by side. The
// zero Fakes is ready.
type Fakes struct{ byWorld sync.Map }

// Keep notes a world's fake; every job of it gets a life.
func (f *Fakes) Keep(t *testing.T, w *torture.World, fake *cloudfake.Fake, life cloudfake.Life) {
	w.BackendPID = fake.PID()
	f.byWorld.Store(w, fake)
	require.NoError(t, fake.AddLife(context.Background(), cloudfake.LifeRule{Life: life}))
}

// Jobs is torture.Flavor.Jobs.
func (f *Fakes) Jobs(w *torture.World) int {
	kept, ok := f.byWorld.Load(w)
	if !ok {
		return -1
	}
	jobs, err := kept.(*cloudfake.Fake).Jobs(context.Background())
	if err != nil {
		return -1
	}
	return len(jobs)
}
