package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/plugins/vertex/internal/fake"
	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/cli"
	"github.com/stephost/stephost/test/cloudfake/cloudtest"
)

// programs are the fake and what stands for the shim of an image.
var programs cloudtest.Programs

func TestMain(m *testing.M) { cli.Main(m, &programs, "vertex") }

// startFake starts a fake for one test and returns it with the flags of an
// operator on it.
func startFake(t *testing.T, bucket bool) (f *cloudfake.Fake, flags []string) {
	f = programs.Start(t)
	key := filepath.Join(t.TempDir(), "key.json")
	require.NoError(t, fake.WriteServiceAccount(key, f.URL))
	var at []string
	for service, address := range fake.Endpoints(f.Endpoints["grpc"], f.URL) {
		at = append(at, fmt.Sprintf("%s=%q", service, address))
	}
	flags = []string{"--flavor=vertex", "--project=" + fake.Project, "--region=europe-west1", "--service_account_path=" + key,
		"--endpoints={" + strings.Join(at, ",") + "}", "--max-calls-per-minute=6000", "--max-log-calls-per-minute=60000"}
	if bucket {
		flags = append(flags, "--bucket_name="+fake.Bucket)
	}
	return f, flags
}
