package job

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/stephost/stephost/plugins/kubernetes/internal/kube"
	"github.com/stephost/stephost/pluginsdk"
)

// systemNamespace lives as long as its cluster, so its UID names the cluster.
const systemNamespace = "kube-system"

// Scope is the cluster, by the UID of kube-system, and the namespace. Who may not
// read kube-system is told the cluster by the UID of the own namespace, which is
// as unique.
func (f *Flavor) Scope(ctx context.Context, c Config) (pluginsdk.Scope, error) {
	cluster, err := f.cluster(ctx, c)
	if err != nil {
		return pluginsdk.Scope{}, err
	}
	id := "kubernetes:"
	uid, err := cluster.NamespaceUID(ctx, systemNamespace)
	if apierrors.IsForbidden(err) {
		id += "namespace:"
		uid, err = cluster.NamespaceUID(ctx, cluster.Namespace)
	}
	if apierrors.IsNotFound(err) {
		return pluginsdk.Scope{}, pluginsdk.Config("config.namespace", "%w", err)
	}
	if err != nil {
		return pluginsdk.Scope{}, kube.Ask(err)
	}
	return pluginsdk.Scope{
		ID:      id + string(uid) + ":" + cluster.Namespace,
		Display: fmt.Sprintf("Kubernetes at %s, namespace %s", cluster.Host, cluster.Namespace),
	}, nil
}
