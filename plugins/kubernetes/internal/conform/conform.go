// Package conform says how the conformance suite reaches the flavor and, behind
// its back, its cluster. Only tests import it.
package conform

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stephost/stephost/plugins/kubernetes/internal/kube"
	"github.com/stephost/stephost/pluginsdk/plugintest"
)

// label is the flavor's label for the key, written again: a suite that asked the
// flavor for it would believe it.
const label = "stephost.dev/key"

// Config is the suite's config for a plugin file and a namespace. The caller adds
// the tier, and for the full one an image and a witness directory.
func Config(plugin string, place kube.Place) (plugintest.Config, error) {
	cluster, err := kube.Open(place)
	if err != nil {
		return plugintest.Config{}, err
	}
	find := func(ctx context.Context, key string) ([]string, error) {
		jobs, err := cluster.Jobs(ctx, metav1.ListOptions{LabelSelector: label + "=" + key})
		if err != nil {
			return nil, err
		}
		var names []string
		for i := range jobs.Items {
			names = append(names, jobs.Items[i].Name)
		}
		return names, nil
	}
	return plugintest.Config{
		Plugin:   plugin,
		Operator: map[string]any{"kubeconfig": place.Kubeconfig, "namespace": place.Namespace},
		List:     find,
		Delete: func(ctx context.Context, job plugintest.Job) error {
			names, err := find(ctx, job.Key)
			if err != nil {
				return err
			}
			for _, name := range names {
				found, err := cluster.Job(ctx, name)
				if err == nil {
					err = cluster.DeleteJob(ctx, name, found.UID)
				}
				if err != nil && !apierrors.IsNotFound(err) {
					return err
				}
			}
			return nil
		},
	}, nil
}
