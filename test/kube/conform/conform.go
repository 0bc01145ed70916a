// Package conform says how the conformance suite reaches the flavor `kubernetes`
// and, behind its back, its cluster: with kubectl, so that nothing of the flavor's
// own is believed.
package conform

import (
	"context"
	"fmt"
	"strings"

	"github.com/stephost/stephost/pluginsdk/plugintest"
	"github.com/stephost/stephost/test/kube"
)

// label is the flavor's label for the key, written again: a suite that asked the
// flavor for it would believe it.
const label = "stephost.dev/key"

// Config is the suite's config for a plugin file and a namespace. The caller adds
// the tier, an image, and for the full tier a witness directory.
func Config(plugin string, c *kube.Cluster, namespace string) plugintest.Config {
	kubectl := func(ctx context.Context, args ...string) (string, error) {
		out, err := c.Kubectl(ctx, append(args, "-n", namespace)...).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("kubectl %v: %w\n%s", args, err, out)
		}
		return string(out), nil
	}
	return plugintest.Config{
		Plugin:   plugin,
		Operator: map[string]any{"kubeconfig": c.Kubeconfig, "namespace": namespace},
		List: func(ctx context.Context, key string) ([]string, error) {
			out, err := kubectl(ctx, "get", "jobs", "-l", label+"="+key, "-o", "jsonpath={.items[*].metadata.name}")
			return strings.Fields(out), err
		},
		Delete: func(ctx context.Context, job plugintest.Job) error {
			_, err := kubectl(ctx, "delete", "jobs", "-l", label+"="+job.Key, "--cascade=foreground", "--ignore-not-found")
			return err
		},
	}
}
