package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/stephost/stephost/host/problem"
)

// dockerfileWait is how long a tool gets to end by itself when it is told to.
const dockerfileWait = 10 * time.Second

// tool builds a Dockerfile and pushes the result.
type tool struct {
	name string
	// commands are run one after the other; %i is the image, %f the file, %d its
	// directory, %p the platform.
	commands [][]string
}

// tools in the order in which they are looked for. buildah keeps its layers only when
// told to, and without them each build gives another base. docker and buildah push with
// the login of their own; buildctl does both in one.
func tools(plain bool) []tool {
	verify := "--tls-verify=true"
	output := "type=image,name=%i,push=true"
	if plain {
		verify, output = "--tls-verify=false", output+",registry.insecure=true"
	}
	return []tool{
		{"docker", [][]string{{"build", "--platform", "%p", "-f", "%f", "-t", "%i", "%d"}, {"push", "%i"}}},
		{"buildah", [][]string{{"build", "--layers", "--platform", "%p", "-f", "%f", "-t", "%i", "%d"}, {"push", verify, "%i", "docker://%i"}}},
		{"buildctl", [][]string{{"build", "--frontend", "dockerfile.v0", "--opt", "platform=%p", "--opt", "filename=%n",
			"--local", "context=%d", "--local", "dockerfile=%d", "--output", output}}},
	}
}

// fromDockerfile builds the base with a tool of this machine and answers with its
// name in the step's registry. The tool has its own cache and its own login.
func (r *Request) fromDockerfile(ctx context.Context, c *connector, say func(string, ...any)) (string, error) {
	if _, err := os.Stat(r.Dockerfile); err != nil {
		return "", &problem.Error{Summary: "there is no such Dockerfile", Phase: phase, Class: problem.Config, Err: err, Next: "correct dockerfile in the step's environment"}
	}
	repo := repositoryFor(r.Push)
	host, _, _ := strings.Cut(repo, "/")
	t, err := r.findTool(ctx, tools(c.plain(host)))
	if err != nil {
		return "", err
	}
	file, err := filepath.Abs(r.Dockerfile)
	if err != nil {
		return "", err
	}
	platform := r.Platform
	if platform == "" {
		platform = DefaultPlatform
	}
	// The tag is of the place, so that its layers are found again; what counts is
	// the digest behind it.
	image := repo + ":stephost-dockerfile-" + hexOf(keyOf(file))[:12]
	words := strings.NewReplacer("%i", image, "%f", file, "%n", filepath.Base(file), "%d", filepath.Dir(file), "%p", platform)
	for _, command := range t.commands {
		args := make([]string, len(command))
		for i, a := range command {
			args[i] = words.Replace(a)
		}
		say("%s %s", t.name, command[0])
		if err := r.runTool(ctx, t.name, args); err != nil {
			return "", err
		}
	}
	return image, nil
}

// daemonBound is how long a daemon may take to say that it is there.
const daemonBound = 10 * time.Second

// findTool is the first tool that can build. A docker without its daemon, as many
// machines have it, leaves the work to the next one; where there is none, what it
// says of its daemon helps the person best.
func (r *Request) findTool(ctx context.Context, list []tool) (*tool, error) {
	var names []string
	var idle *tool
	for i := range list {
		t := &list[i]
		names = append(names, t.name)
		if _, err := exec.LookPath(t.name); err != nil {
			continue
		}
		if t.name != "docker" || r.daemonAnswers(ctx, t.name) {
			return t, nil
		}
		idle = t
	}
	if idle != nil {
		return idle, nil
	}
	return nil, config("a Dockerfile needs a tool that builds it, and none of "+strings.Join(names, ", ")+" is on PATH",
		"install one of them; or use base_image with requirements and source, which need none")
}

func (r *Request) daemonAnswers(ctx context.Context, name string) bool {
	ctx, cancel := context.WithTimeout(ctx, daemonBound)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, "version", "--format", "{{.Server.Version}}")
	cmd.Env = r.Environ
	return cmd.Run() == nil
}

func (r *Request) runTool(ctx context.Context, name string, args []string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = r.Environ
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = dockerfileWait
	tail := &tailWriter{most: 4 << 10}
	cmd.Stdout, cmd.Stderr = tail, tail
	if r.Logger != nil {
		w := r.Logger.StandardWriter(nil)
		cmd.Stdout, cmd.Stderr = io.MultiWriter(tail, w), io.MultiWriter(tail, w)
	}
	err := cmd.Run()
	var exit *exec.ExitError
	if err == nil || ctx.Err() != nil || !errors.As(err, &exit) {
		return err
	}
	return &problem.Error{Summary: fmt.Sprintf("%s %s failed (%v)", name, args[0], exit.ProcessState), Phase: phase, Class: problem.User,
		Detail: string(tail.data), Next: fmt.Sprintf("see what `%s %s` says, with the same arguments", name, strings.Join(args, " "))}
}

// tailWriter keeps the last bytes: the error stands at the end.
type tailWriter struct {
	data []byte
	most int
}

func (t *tailWriter) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if over := len(t.data) - t.most; over > 0 {
		t.data = t.data[over:]
		if i := bytes.IndexByte(t.data, '\n'); i >= 0 {
			t.data = t.data[i+1:]
		}
	}
	return len(p), nil
}
