package job

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/stephost/stephost/plugins/kubernetes/internal/kube"
	"github.com/stephost/stephost/pluginsdk"
)

// permission is one thing that a run does.
type permission struct{ verb, group, resource, sub string }

func (p permission) String() string {
	name := p.resource
	if p.sub != "" {
		name += "/" + p.sub
	}
	if p.group != "" {
		name += "." + p.group
	}
	return p.verb + " " + name
}

// needed are the permissions of every run; secret and nodes add to them.
func needed(secrets, nodes bool) []permission {
	need := []permission{
		{"create", "batch", "jobs", ""}, {"get", "batch", "jobs", ""}, {"list", "batch", "jobs", ""}, {"watch", "batch", "jobs", ""},
		{"patch", "batch", "jobs", ""}, {"delete", "batch", "jobs", ""},
		{"list", "", "pods", ""}, {"watch", "", "pods", ""}, {"delete", "", "pods", ""}, {"get", "", "pods", "log"},
	}
	if secrets {
		need = append(need, permission{"create", "", "secrets", ""}, permission{"get", "", "secrets", ""}, permission{"delete", "", "secrets", ""})
	}
	if nodes {
		need = append(need, permission{"create", "", "services", ""}, permission{"get", "", "services", ""}, permission{"delete", "", "services", ""})
	}
	return need
}

// Preflight asks the cluster what a launch would find out.
func (f *Flavor) Preflight(ctx context.Context, c Config, s *pluginsdk.Step) error {
	return f.PreflightOf(ctx, c, s, request)
}

// PreflightOf is Preflight for what how makes of the step.
func (f *Flavor) PreflightOf(ctx context.Context, c Config, s *pluginsdk.Step, how Make) error {
	cluster, err := f.cluster(ctx, c)
	if err != nil {
		return err
	}
	if _, err := cluster.NamespaceUID(ctx, cluster.Namespace); err != nil {
		switch {
		case apierrors.IsNotFound(err):
			return pluginsdk.Config("config.namespace", "the namespace %s does not exist at %s: kubectl create namespace %s", cluster.Namespace, cluster.Host, cluster.Namespace)
		case !apierrors.IsForbidden(err):
			return kube.Ask(err)
		}
	}
	if s == nil {
		return permissions(ctx, cluster, true, true)
	}
	r, err := how(c, s)
	if err != nil {
		return err
	}
	return errors.Join(permissions(ctx, cluster, len(r.Step.Secrets) > 0, r.Step.Resources.Nodes > 1),
		references(ctx, cluster, r.Settings), nodesFit(ctx, cluster, c, r.Step, r.Settings))
}

// permissions asks for each one; what is missing is one finding.
func permissions(ctx context.Context, cluster *kube.Cluster, secrets, nodes bool) error {
	var missing []string
	for _, p := range needed(secrets, nodes) {
		may, err := cluster.May(ctx, p.verb, p.group, p.resource, p.sub)
		if err != nil {
			return kube.Ask(err)
		}
		if !may {
			missing = append(missing, p.String())
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return pluginsdk.Auth(fmt.Errorf("these credentials may not: %s (namespace %s); the flavor's page has a Role that allows it", strings.Join(missing, ", "), cluster.Namespace))
}

// references looks for what the settings name. What may not be read is not told.
func references(ctx context.Context, cluster *kube.Cluster, settings Settings) error {
	var found []error
	if name := settings.ServiceAccount; name != "" {
		if _, err := cluster.ServiceAccount(ctx, name); apierrors.IsNotFound(err) {
			found = append(found, pluginsdk.Config("settings.service_account", "there is no service account %s in the namespace %s", name, cluster.Namespace))
		}
	}
	for _, name := range settings.ImagePullSecrets {
		secret, err := cluster.Secret(ctx, name)
		switch {
		case apierrors.IsNotFound(err):
			found = append(found, pluginsdk.Config("settings.image_pull_secrets", "there is no secret %s in the namespace %s: nodes will pull without it", name, cluster.Namespace))
		case err == nil && secret.Type != corev1.SecretTypeDockerConfigJson && secret.Type != corev1.SecretTypeDockercfg:
			found = append(found, pluginsdk.Config("settings.image_pull_secrets", "the secret %s is of type %s, with which no image is pulled", name, secret.Type))
		}
	}
	return errors.Join(found...)
}

// nodesFit looks whether any node could ever take a pod: one with the labels, and
// with the GPUs. An autoscaler may make such a node, so it only warns.
func nodesFit(ctx context.Context, cluster *kube.Cluster, c Config, s *pluginsdk.Step, settings Settings) error {
	selector := merged(settings.NodeSelector)
	if s.Resources.GPUType != "" {
		selector = merged(selector, c.GPUTypeLabels[s.Resources.GPUType])
	}
	if len(selector) == 0 && s.Resources.GPU == 0 {
		return nil
	}
	nodes, err := cluster.Nodes(ctx, metav1.ListOptions{LabelSelector: labels.SelectorFromSet(selector).String()})
	switch {
	case apierrors.IsForbidden(err):
		return pluginsdk.Warn("", "whether a node has what the step asks for cannot be told: these credentials may not list nodes")
	case err != nil:
		return kube.Ask(err)
	case len(nodes.Items) == 0:
		return pluginsdk.Warn("settings.node_selector", "no node has the labels %s just now", pairs(selector))
	case s.Resources.GPU == 0:
		return nil
	}
	most := int64(0)
	for i := range nodes.Items {
		gpus := nodes.Items[i].Status.Allocatable[corev1.ResourceName(c.GPUResource)]
		most = max(most, gpus.Value())
	}
	if most < s.Resources.GPU {
		return pluginsdk.Warn("resources.gpu", "no node has %d of %s: the most is %d", s.Resources.GPU, c.GPUResource, most)
	}
	return nil
}
