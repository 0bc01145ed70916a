// Package depcheck keeps the light module light: it fails when the host, the
// SDK or the CLI come to link a cloud SDK, or a room something that is not its
// matter. The front (tag "front") answers at once because of what it does not link.
package depcheck

import (
	"os/exec"
	"slices"
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
		tags   string
	}{
		{pkg: "/cmd/stephost", banned: cloud},
		{pkg: "/cmd/stephost", banned: append([]string{"modernc.org/", "github.com/google/go-containerregistry"}, slices.Concat(process, cloud)...), tags: "front"},
		{pkg: "/host/...", banned: cloud},
		{pkg: "/pluginsdk/...", banned: append([]string{module + "/host"}, cloud...)},
		{pkg: "/proto/...", banned: append([]string{module + "/host", module + "/pluginsdk"}, cloud...)},
		{pkg: "/host/manifest", banned: append([]string{"modernc.org/"}, process...)},
		{pkg: "/host/schema", banned: append([]string{"modernc.org/"}, process...)},
		{pkg: "/host/diag", banned: append([]string{"modernc.org/"}, process...)},
		{pkg: "/host/project", banned: append([]string{"modernc.org/"}, process...)},
		{pkg: "/host/catalog", banned: append([]string{"modernc.org/"}, process...)},
		{pkg: "/host/registry", banned: append([]string{"modernc.org/"}, process...)},
		{pkg: "/host/runs/...", banned: process},
		{pkg: "/host/environment/...", banned: process},
		{pkg: "/host/process", banned: []string{module + "/host/registry", module + "/host/runs", module + "/pluginsdk", "modernc.org/"}},
		{pkg: "/host/launch", banned: []string{module + "/pluginsdk", module + "/host/registry"}},
	} {
		t.Run(tc.pkg+tc.tags, func(t *testing.T) {
			cmd := exec.Command("go", "list", "-tags="+tc.tags, "-deps", module+tc.pkg)
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
