// Package depcheck keeps the light module light: it fails when the host, the
// SDK or the CLI come to link a cloud SDK, or a room something that is not its
// matter.
package depcheck

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// cloud are the import paths of vendors' SDKs.
var cloud = []string{
	"github.com/aws/", "cloud.google.com/", "google.golang.org/api", "github.com/Azure/", "k8s.io/", "sigs.k8s.io/",
	"github.com/modal-labs/", "github.com/docker/docker", "github.com/moby/moby",
}

var process = []string{"google.golang.org/grpc", "github.com/hashicorp/go-plugin", "google.golang.org/protobuf"}

func TestImports(t *testing.T) {
	const module = "github.com/stephost/stephost"
	for _, tc := range []struct {
		pkg    string
		banned []string
	}{
		{"/cmd/stephost", cloud},
		{"/host/...", cloud},
		{"/pluginsdk/...", append([]string{module + "/host"}, cloud...)},
		{"/proto/...", append([]string{module + "/host", module + "/pluginsdk"}, cloud...)},
		{"/host/manifest", append([]string{"modernc.org/"}, process...)},
		{"/host/schema", append([]string{"modernc.org/"}, process...)},
		{"/host/diag", append([]string{"modernc.org/"}, process...)},
		{"/host/project", append([]string{"modernc.org/"}, process...)},
		{"/host/registry", append([]string{"modernc.org/"}, process...)},
		{"/host/runs/...", process},
		{"/host/environment/...", process},
		{"/host/process", []string{module + "/host/registry", module + "/host/runs", module + "/pluginsdk", "modernc.org/"}},
		{"/host/launch", []string{module + "/pluginsdk", module + "/host/registry"}},
	} {
		t.Run(tc.pkg, func(t *testing.T) {
			cmd := exec.Command("go", "list", "-deps", module+tc.pkg)
			var stderr strings.Builder
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			require.NoError(t, err, stderr.String())
			deps := strings.Fields(string(out))
			require.NotEmpty(t, deps)
			for _, dep := range deps {
				for _, banned := range tc.banned {
					assert.False(t, dep == strings.TrimSuffix(banned, "/") || strings.HasPrefix(dep, strings.TrimSuffix(banned, "/")+"/"),
						"%s links %s", tc.pkg, dep)
				}
			}
		})
	}
}
