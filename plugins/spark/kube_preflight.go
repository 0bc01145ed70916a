package main

import (
	"cmp"
	"context"
	"errors"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/stephost/stephost/plugins/kubernetes/job"
	"github.com/stephost/stephost/pluginsdk"
)

// kubePreflight asks the cluster what a launch would find out: what any Job needs,
// and what the driver's service account may do.
func (f *spark) kubePreflight(ctx context.Context, c Config, s *pluginsdk.Step) error {
	if err := f.sameCluster(ctx, c); err != nil {
		return err // all else would be told of another cluster
	}
	found := f.kube.PreflightOf(ctx, c.job(), s, func(of job.Config, s *pluginsdk.Step) (job.Request, error) {
		r, err := driverRequest(c, of, s)
		if err != nil {
			return r, err
		}
		r.Settings.ServiceAccount = "" // it is looked at below
		// A node must do for an executor, too.
		r.Step.Resources.GPU = max(r.Step.Resources.GPU, s.Resources.GPU)
		return r, nil
	})
	cluster, err := f.kube.Namespace(ctx, c.job())
	if err != nil {
		return errors.Join(found, err)
	}
	return errors.Join(found, mayRun(ctx, cluster, cmp.Or(c.ServiceAccount, "default")))
}

// mayRun tells whether a service account may make executors.
func mayRun(ctx context.Context, cluster *job.Cluster, account string) error {
	if _, err := cluster.ServiceAccount(ctx, account); apierrors.IsNotFound(err) {
		return pluginsdk.Config("config.service_account", "there is no service account %s in the namespace %s", account, cluster.Namespace)
	}
	var missing []string
	for _, verb := range []string{"create", "get", "list", "watch", "delete"} {
		may, err := cluster.AccountMay(ctx, account, verb, "", "pods")
		switch {
		case apierrors.IsForbidden(err):
			return pluginsdk.Warn("config.service_account", "whether the service account %s may make executors cannot be told: these credentials may not create localsubjectaccessreviews", account)
		case err != nil:
			return job.Ask(err)
		case !may:
			missing = append(missing, verb)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return pluginsdk.Config("config.service_account",
		"the service account %s of the namespace %s may not %s pods, so its driver could not make executors: give it the Role that stands on the flavor's page, or name another one",
		account, cluster.Namespace, strings.Join(missing, ", "))
}
