package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/stephost/stephost/test/cloudfake/cli"
)

// TestRegister: the command of the issue, and what is refused or warned of from
// the manifest alone.
func TestRegister(t *testing.T) {
	l := cli.New(t)
	in := func(region string, more ...string) []string {
		return append([]string{"step-operator", "register", "vertex", "--flavor=vertex", "--project=zenml-core", "--service_account_path=/keys/train.json",
			"--region=" + region, "--machine_type=n1-standard-4", "--base_image=python:3.11-slim", "--replace"}, more...)
	}
	line := func(more ...string) []string { return in("europe-west1", more...) }
	for name, c := range map[string]struct {
		args []string
		code int
		want []string
	}{
		"as it stands":       {args: line("--accelerator_type=NVIDIA_TESLA_T4")},
		"not in the table":   {args: line("--accelerator_type=NVIDIA_TESLA_T5"), want: []string{"NVIDIA_TESLA_T5 is no accelerator", "did you mean NVIDIA_TESLA_T4?"}},
		"wrong form":         {args: line("--accelerator_type=nvidia-tesla-t4"), code: 125, want: []string{"must be written as Vertex AI has it"}},
		"a zone":             {args: in("europe-west1-b"), code: 125, want: []string{"is a zone; Vertex AI takes a region, here europe-west1"}},
		"no region":          {args: in("Belgium"), code: 125, want: []string{"must be a region of Google Cloud"}},
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
			code, stdout, stderr := l.Run(c.args...)
			assert.Equal(t, c.code, code, "%s%s", stdout, stderr)
			for _, text := range c.want {
				assert.Contains(t, cli.Flat(stderr), cli.Flat(text))
			}
			if len(c.want) == 0 {
				assert.NotContains(t, stderr, "Warning")
			}
		})
	}
	_, stdout, _ := l.Run("operator", "describe", "vertex")
	assert.Contains(t, stdout, "vertex")
}
