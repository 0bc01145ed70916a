//go:build unix

package scaffold_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/registry"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/runs/spool"
	"github.com/stephost/stephost/host/schema"
	"github.com/stephost/stephost/internal/gobuild"
	"github.com/stephost/stephost/internal/scaffold"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hang ends what does not come back: a first build, a virtual environment and
// the conformance suite on a busy machine.
const hang = 15 * time.Minute

// The whole way of an author, for each language and kind: init outside of this
// repository, the documented line, the project's own test command untouched, a
// build, and a step launched through the host with the one file of it.
func TestProject(t *testing.T) {
	bin := t.TempDir()
	require.NoError(t, gobuild.Build(t.Context(), gobuild.Program{Pkg: "../../cmd/stephost", Out: bin}))
	every(func(o scaffold.Options) {
		t.Run(string(o.Language)+" "+string(o.Kind), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), hang)
			defer cancel()
			p := newProject(t, ctx, o)
			p.bin = bin
			p.run(strings.ReplaceAll(scaffold.Steps(p.dir, o)[1].Command, "PATH", p.checkout))
			p.run("make test")
			p.run("make")
			p.launch(p.operator())
		})
	})
}

type project struct {
	t   *testing.T
	ctx context.Context
	o   scaffold.Options
	// dir is the project, checkout what the SDK is taken from, bin where
	// stephost lies.
	dir, checkout, bin string
}

func newProject(t *testing.T, ctx context.Context, o scaffold.Options) *project {
	p := &project{t: t, ctx: ctx, o: o, dir: filepath.Join(t.TempDir(), o.Program())}
	checkout, err := filepath.Abs("../..")
	require.NoError(t, err)
	p.checkout = checkout
	if o.Language == scaffold.Python {
		// pip builds a package in its own directory; this checkout stays clean.
		p.checkout = t.TempDir()
		copySDK(t, filepath.Join(p.checkout, "python"), filepath.Join(checkout, "python"))
	}
	require.NoError(t, scaffold.Write(p.dir, o))
	return p
}

// copySDK copies what pip needs, and no virtual environment that may lie beside.
func copySDK(t *testing.T, to, from string) {
	require.NoError(t, os.CopyFS(filepath.Join(to, "stephost_flavor"), os.DirFS(filepath.Join(from, "stephost_flavor"))))
	entries, err := os.ReadDir(from)
	require.NoError(t, err)
	for _, e := range entries {
		if e.Type().IsRegular() {
			data, err := os.ReadFile(filepath.Join(from, e.Name()))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(to, e.Name()), data, 0o644))
		}
	}
}

// run runs one documented line as a person would, in a shell.
func (p *project) run(line string) {
	p.t.Helper()
	begin := time.Now()
	cmd := exec.CommandContext(p.ctx, "sh", "-c", line)
	cmd.Dir = p.dir
	// What this test was started with is not the author's: a workspace, flags.
	cmd.Env = append(os.Environ(), "GOWORK=", "GOFLAGS=-buildvcs=false", "PWD="+p.dir,
		"PATH="+p.bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	require.NoError(p.t, err, "%s\n%s", line, out)
	p.t.Logf("%s: %s", line, time.Since(begin).Round(time.Millisecond))
}

// program is the one file that a user registers.
func (p *project) program() string {
	steps := scaffold.Steps(p.dir, p.o)
	words := strings.Fields(steps[len(steps)-1].Command)
	return filepath.Join(p.dir, words[len(words)-1])
}

// operator is the text of an operator; a remote flavor gets the cluster that
// lies in its project.
func (p *project) operator() string {
	config := ""
	if p.o.Kind == scaffold.Remote {
		config = fmt.Sprintf("  config {\n    url = %q\n    token = env(\"CLUSTER_TOKEN\")\n  }\n", p.cluster())
		p.t.Setenv("CLUSTER_TOKEN", "word")
	}
	return fmt.Sprintf("operator \"op\" {\n  flavor = %q\n%s}\n", p.o.Name, config)
}

// cluster starts the fake cluster as README.md says, and returns its address.
func (p *project) cluster() string {
	var cmd *exec.Cmd
	if p.o.Language == scaffold.Go {
		program := filepath.Join(p.t.TempDir(), "fakecluster")
		p.run("go build -o " + program + " ./fakecluster")
		cmd = exec.Command(program)
	} else {
		cmd = exec.Command("python3", filepath.Join(p.dir, "fake_cluster.py"))
	}
	out, err := cmd.StdoutPipe()
	require.NoError(p.t, err)
	require.NoError(p.t, cmd.Start())
	p.t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(p.t, err)
	_, url, ok := strings.Cut(strings.TrimSpace(line), "FAKE_CLUSTER_URL=")
	require.True(p.t, ok, line)
	return url
}

// launch launches a step that fails with a code of its own.
func (p *project) launch(operator string) {
	t, ctx := p.t, p.ctx
	h := host.New(host.Options{Home: home.At(t.TempDir())})
	defer func() { assert.NoError(t, h.Close(context.Background())) }()
	// The file alone is what an author hands out.
	alone := filepath.Join(t.TempDir(), p.o.Program())
	data, err := os.ReadFile(p.program())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(alone, data, 0o755))
	_, err = h.Registry().Register(ctx, alone, registry.RegisterOptions{})
	require.NoError(t, err)
	_, err = h.Registry().PutOperatorText(ctx, []byte(operator), registry.WriteOptions{})
	require.NoError(t, err)
	const text = `step "train" {
  operator = "op"
  command  = ["sh", "-c", "echo \"hello $0 $WHO\"; exit 3", "a  b"]
  env      = { WHO = "you" }
}
`
	loaded, _, err := h.Project(ctx, host.ProjectOptions{Dir: t.TempDir(), Files: []string{"-"}, Stdin: strings.NewReader(text)})
	require.NoError(t, err)
	sel, err := h.Select(ctx, host.StepRequest{Project: loaded, Step: "train", Stage: schema.StageLaunch})
	require.NoError(t, err)
	l, err := h.Launch(ctx, host.LaunchRequest{Selection: sel})
	require.NoError(t, err)
	r, err := l.Wait(ctx)
	require.NoError(t, err)
	require.NotNil(t, r.Verdict)
	assert.Equal(t, runs.Closed, r.State)
	assert.Equal(t, "user", r.Verdict.Class, "%+v", r.Verdict)
	require.NotNil(t, r.Verdict.ExitCode)
	assert.Equal(t, 3, *r.Verdict.ExitCode)
	assert.Equal(t, "hello a  b you\n", stdout(t, ctx, l))
}

func stdout(t *testing.T, ctx context.Context, l *host.Launched) string {
	reader, err := l.Log(ctx, spool.ReadOptions{})
	require.NoError(t, err)
	defer func() { _ = reader.Close() }()
	var b strings.Builder
	for {
		rec, err := reader.Next(ctx)
		if errors.Is(err, io.EOF) {
			return b.String()
		}
		require.NoError(t, err)
		if rec.Kind == spool.KindEntry && rec.Source.Stream == "stdout" {
			b.Write(rec.Entry.Data)
		}
	}
}
