//go:build linux

package torture

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/digits"
)

func TestDigits(t *testing.T) {
	f := programs.Start(t)
	require.NoError(t, f.AddLife(context.Background(), cloudfake.LifeRule{Life: cloudfake.Life{LogsLateMS: 300}}))
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("torture"), 0o600))
	digits.Run(t, "azureml://jobs/", "--flavor=azureml", "--subscription-id="+id, "--resource-group=ml", "--workspace-name=research",
		"--tenant-id="+id, "--service-principal-id="+id, "--service-principal-password=file:"+secret,
		fmt.Sprintf("--endpoints={management = %[1]q, history = %[1]q, authority = %[1]q}", f.URL), "--max-calls-per-minute=60000", "--log-settle=1s")
}
