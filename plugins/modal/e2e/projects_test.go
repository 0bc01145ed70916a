package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/cli"
)

const (
	anyImage = "r.example/step@sha256:0000000000000000000000000000000000000000000000000000000000000000"
	// soon is longer than a launch takes to have its step running.
	soon = 2 * time.Minute
	// dayMS is more than a day: nothing was launched for so long.
	dayMS = "90000000"
)

// projects is a lab with one operator, and a fake that it leads to.
type projects struct {
	t *testing.T
	*cli.Lab
	fake *cloudfake.Fake
}

func newProjects(t *testing.T) *projects {
	p := &projects{t, cli.New(t), nil}
	p.fake = startFake(t, p.Dir)
	p.OK("operator", "register", "op", "--flavor=modal")
	return p
}

// project writes a project whose step waits until the file go is there.
func (p *projects) project(name, block string) (dir string) {
	dir = filepath.Join(p.Dir, name)
	require.NoError(p.t, os.MkdirAll(filepath.Join(dir, "deep", "er"), 0o755))
	require.NoError(p.t, os.WriteFile(filepath.Join(dir, "stephost.hcl"), []byte(block+`
step "train" {
  operator = "op"
  command  = ["sh", "-c", "until [ -e '`+p.Dir+`/go' ]; do sleep 0.1; done; echo hello"]
  environment {
    image = "`+anyImage+`"
  }
}
`), 0o600))
	return dir
}

// apps are the names of those that sandboxes are in, in the order of the launches;
// "" = it was stopped.
func (p *projects) apps() []string {
	p.t.Helper()
	jobs, err := p.fake.Jobs(context.Background())
	require.NoError(p.t, err)
	var out []string
	for _, j := range jobs {
		var told struct {
			Request struct {
				App string `json:"app_id"`
			} `json:"request"`
			Names map[string]string `json:"names"`
		}
		require.NoError(p.t, json.Unmarshal(j.Request, &told))
		out = append(out, told.Names[told.Request.App])
	}
	return out
}

// running counts the sandboxes that run.
func (p *projects) running() (n int) {
	p.t.Helper()
	jobs, err := p.fake.Jobs(context.Background())
	require.NoError(p.t, err)
	for _, j := range jobs {
		n += len(j.PIDs)
	}
	return n
}

// killed launches the step of dir's project and kills stephost when it runs.
func (p *projects) killed(dir, token string) {
	p.t.Helper()
	before := p.running()
	cmd := p.Command(context.Background(), "-C", dir, "launch", "train", "--run-token", token)
	require.NoError(p.t, cmd.Start())
	require.Eventually(p.t, func() bool { return p.running() > before }, soon, 50*time.Millisecond)
	require.NoError(p.t, cmd.Process.Kill())
	_ = cmd.Wait() // it was killed
}

// goOn lets the steps end.
func (p *projects) goOn() {
	p.t.Helper()
	require.NoError(p.t, os.WriteFile(filepath.Join(p.Dir, "go"), nil, 0o600))
}

// TestProjects: one operator, two projects, two apps. A run is gone on with from
// another directory, in its own app; and an app goes when nothing happens in it any
// more.
func TestProjects(t *testing.T) {
	p := newProjects(t)
	digits, letters := p.project("digits", ""), p.project("elsewhere", "project {\n  name = \"letters\"\n}\n")
	assert.Contains(t, p.OK("-C", digits, "plan", "train"), `"app": "stephost-digits"`)
	assert.Contains(t, p.OK("-C", letters, "doctor", "op"), "app stephost-letters")
	p.killed(digits, "one")
	p.killed(filepath.Join(digits, "deep", "er"), "two")
	p.killed(letters, "three")
	assert.Equal(t, []string{"app/main/stephost-digits", "app/main/stephost-digits", "app/main/stephost-letters"}, p.apps())

	// Recovered from a directory that is in no project, and from one that is in another.
	p.goOn()
	p.OK("run", "recover", "--all")
	for _, token := range []string{"one", "two", "three"} {
		assert.Equal(t, "hello\n", p.OK("-C", letters, "run", "logs", "--token", token))
	}
	p.OK("-C", digits, "launch", "train")
	// Without a project file there is no project.
	p.OK("launch", "--operator", "op", "--image", anyImage, "--", "true")
	assert.Equal(t, []string{"app/main/stephost-digits", "app/main/stephost-digits", "app/main/stephost-letters", "app/main/stephost-digits", "app/main/stephost"}, p.apps())

	ended := time.Now()
	require.NoError(t, p.fake.Set(context.Background(), "age_ms", dayMS))
	require.NoError(t, os.Remove(filepath.Join(p.Dir, "go")))
	p.killed(letters, "four")
	// A record is Modal's to keep until then, and prune leaves it alone.
	require.Eventually(t, func() bool { return time.Since(ended) > keeps }, soon, 50*time.Millisecond)
	p.OK("run", "prune", "--remote", "--older-than", "0")
	// An app that was stopped has no name any more.
	assert.Equal(t, []string{"", "", "app/main/stephost-letters", "", "", "app/main/stephost-letters"}, p.apps(), "in that of letters something runs")
	p.goOn()
	p.OK("run", "recover", "--all")
	p.OK("-C", digits, "launch", "train")
	assert.Equal(t, "app/main/stephost-digits", p.apps()[6], "a launch makes it anew")
}

// TestTokenWithoutItsRecord: the machine is gone with its store. The token is found
// from the same project, from one that was renamed, and from none; nothing runs
// twice.
func TestTokenWithoutItsRecord(t *testing.T) {
	p := newProjects(t)
	dir := p.project("digits", "")
	for _, token := range []string{"same", "renamed", "none"} {
		p.killed(dir, token)
	}
	require.NoError(t, os.RemoveAll(filepath.Join(p.Dir, "home", "runs")))
	p.goOn()
	assert.Contains(t, p.OK("-C", dir, "launch", "train", "--run-token", "same"), "hello")
	renamed := filepath.Join(p.Dir, "numbers")
	require.NoError(t, os.Rename(dir, renamed))
	assert.Contains(t, p.OK("-C", renamed, "launch", "train", "--run-token", "renamed"), "hello")
	p.OK("run", "wait", "--operator", "op", "--token", "none")
	assert.Equal(t, []string{"app/main/stephost-digits", "app/main/stephost-digits", "app/main/stephost-digits"}, p.apps())
}
