package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/torture"
)

// world is a home for the stephost that was built.
type world struct {
	t   *testing.T
	dir string
}

func newWorld(t *testing.T) *world {
	dir, err := os.MkdirTemp("", "me") // short, because sockets lie below it
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return &world{t, dir}
}

// run runs stephost. What leads to a package index goes on to it.
func (w *world) run(args ...string) (code int, stdout, stderr string) {
	cmd := exec.CommandContext(context.Background(), torture.Stephost(), args...)
	cmd.Dir = w.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "TMPDIR=" + os.TempDir(), "STEPHOST_HOME=" + filepath.Join(w.dir, "home")}
	for _, v := range os.Environ() {
		for _, prefix := range []string{"PIP_", "UV_", "SSL_CERT_", "HTTP", "NO_PROXY", "https_proxy", "no_proxy"} {
			if strings.HasPrefix(v, prefix) {
				cmd.Env = append(cmd.Env, v)
			}
		}
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run()
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func (w *world) ok(args ...string) (stdout string) {
	w.t.Helper()
	code, stdout, stderr := w.run(args...)
	require.Zero(w.t, code, "stephost %s\n%s%s", strings.Join(args, " "), stdout, stderr)
	return stdout
}

// flat is a message without its line breaks and capitals.
func flat(text string) string { return strings.ToLower(strings.Join(strings.Fields(text), " ")) }
