//go:build linux

package torture

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/digits"
)

// TestDigits: the registry is none of Amazon's, so that SageMaker pulls from it
// over a VPC.
func TestDigits(t *testing.T) {
	f := programs.Start(t)
	require.NoError(t, f.AddLife(context.Background(), cloudfake.LifeRule{Life: cloudfake.Life{LogsLateMS: 300, LogsShuffled: true}}))
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("x"), 0o600))
	digits.Run(t, "s3://sagemaker-eu-west-1-123456789012/stephost/", "--flavor=sagemaker", "--role=train", "--region=eu-west-1", "--endpoint-url="+f.URL,
		"--access-key-id=AKIAIOSFODNN7EXAMPLE", "--secret-access-key=file:"+secret, "--max-calls-per-minute=60000", "--log-settle=1s",
		"--repository-access=Vpc", `--subnets=["subnet-0123abcd"]`, `--security-group-ids=["sg-0123abcd"]`)
}
