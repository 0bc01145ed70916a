package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/torture"
)

// world is a home for the stephost that was built.
type world struct {
	t   *testing.T
	dir string
}

func newWorld(t *testing.T) *world {
	dir, err := os.MkdirTemp("", "ve") // short, because sockets lie below it
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return &world{t, dir}
}

// run runs stephost.
func (w *world) run(args ...string) (code int, stdout, stderr string) {
	cmd := exec.Command(torture.Stephost(), args...)
	cmd.Dir = w.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "TMPDIR=" + os.TempDir(), "STEPHOST_HOME=" + filepath.Join(w.dir, "home")}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run()
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// flat is a message without its line breaks and capitals.
func flat(text string) string { return strings.ToLower(strings.Join(strings.Fields(text), " ")) }

// TestRegister: the command of the issue, and what is refused or warned of from
// the manifest alone.
func TestRegister(t *testing.T) {
	w := newWorld(t)
	line := func(more ...string) []string {
		return append([]string{"step-operator", "register", "vertex", "--flavor=vertex", "--project=zenml-core", "--service_account_path=/keys/train.json",
			"--region=europe-west1", "--machine_type=n1-standard-4", "--base_image=python:3.11-slim", "--replace"}, more...)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		want []string
	}{
		"as it stands":       {args: line("--accelerator_type=NVIDIA_TESLA_T4")},
		"not in the table":   {args: line("--accelerator_type=NVIDIA_TESLA_T5"), want: []string{"NVIDIA_TESLA_T5 is no accelerator", "did you mean NVIDIA_TESLA_T4?"}},
		"wrong form":         {args: line("--accelerator_type=nvidia-tesla-t4"), code: 125, want: []string{"must be written as Vertex AI has it"}},
		"a zone":             {args: line("--region=europe-west1-b"), code: 125, want: []string{"is a zone; Vertex AI takes a region, here europe-west1"}},
		"no region":          {args: line("--region=Belgium"), code: 125, want: []string{"must be a region of Google Cloud"}},
		"ranges, no network": {args: line("--reserved_ip_ranges=a,b"), code: 125, want: []string{"give network too"}},
		"ranges":             {args: line("--reserved_ip_ranges=a,b", "--network=projects/1/global/networks/n")},
		"list of ranges":     {args: line(`--reserved_ip_ranges=["a","b"]`, "--network=projects/1/global/networks/n")},
		"bad ranges":         {args: line("--reserved_ip_ranges=A B", "--network=projects/1/global/networks/n"), code: 125, want: []string{"must be names of address ranges"}},
		"plain http":         {args: line(`--endpoints={aiplatform="http://example.com:80"}`), code: 125, want: []string{"a token would travel readable"}},
		"other service":      {args: line(`--endpoints={compute="x"}`), code: 125, want: []string{"the services are"}},
		"new names":          {args: []string{"operator", "register", "vertex", "--flavor=vertex", "--project-id=my-project", "--location=us-central1", "--bucket=b-1", "--replace"}},
		"a disk too small":   {args: line("--boot-disk-size-gb=50"), code: 125, want: []string{"100"}},
		"unknown":            {args: line("--acelerator_type=NVIDIA_L4"), code: 125, want: []string{"accelerator"}},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := w.run(c.args...)
			assert.Equal(t, c.code, code, "%s%s", stdout, stderr)
			for _, text := range c.want {
				assert.Contains(t, flat(stderr), flat(text))
			}
			if len(c.want) == 0 {
				assert.NotContains(t, stderr, "Warning")
			}
		})
	}
	_, stdout, _ := w.run("operator", "describe", "vertex")
	assert.Contains(t, stdout, "vertex")
}
