package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"cloud.google.com/go/logging/apiv2/loggingpb"

	"github.com/stephost/stephost/plugins/vertex/internal/gcp"
	"github.com/stephost/stephost/pluginsdk"
)

// Preflight asks what a launch would ask, and creates nothing.
func (v *vertex) Preflight(ctx context.Context, c Config, s *pluginsdk.Step) error {
	q, err := v.open(ctx, c)
	if err != nil {
		return fmt.Errorf("signing in: %w", err)
	}
	if _, _, err := q.Token(ctx); err != nil {
		return fmt.Errorf("signing in: %w", gcp.Ask(err))
	}
	found := []error{q.states().Note("questions about jobs", "max_calls_per_minute"), q.logCalls().Note("reads of logs", "max_log_calls_per_minute"),
		q.checkJobs(ctx), q.checkLogs(ctx), q.checkBucket(ctx)}
	if s != nil {
		found = append(found, q.checkStep(ctx, s)...)
	}
	return errors.Join(found...)
}

// checkJobs reads one page of jobs: API, permission, project and region.
func (q *session) checkJobs(ctx context.Context) error {
	_, err := q.Jobs.ListCustomJobs(ctx, &aiplatformpb.ListCustomJobsRequest{Parent: q.parent(), PageSize: 1})
	if err == nil {
		return nil
	}
	return fmt.Errorf("jobs of %s in %s cannot be listed; the API aiplatform.googleapis.com must be on, and %s needs the role Vertex AI User: %w",
		q.project, q.c.Region, account(q.Who()), q.ask(err))
}

// checkLogs reads one entry.
func (q *session) checkLogs(ctx context.Context) error {
	if err := q.logCalls().Wait(ctx); err != nil {
		return err
	}
	_, err := q.Logging.ListLogEntries(ctx, &loggingpb.ListLogEntriesRequest{
		ResourceNames: []string{"projects/" + q.project}, PageSize: 1, OrderBy: "timestamp desc",
		Filter: `resource.type="ml_job" AND resource.labels.job_id="0"`,
	})
	if err == nil {
		return nil
	}
	return fmt.Errorf("the log cannot be read; %s needs the role Logs Viewer on %s: %w", account(q.Who()), q.project, q.ask(err))
}

// bucketPermissions are what outputs and markers need.
func bucketPermissions() []string {
	return []string{"storage.objects.create", "storage.objects.get", "storage.objects.list", "storage.objects.delete"}
}

func (q *session) checkBucket(ctx context.Context) error {
	bucket, _ := q.c.bucket()
	if bucket == "" {
		return pluginsdk.Warn("config.bucket_name", "without bucket_name steps have no outputs, and a first launch with --run-token waits a minute, because lists of Vertex AI may be late")
	}
	have, err := q.BucketPermissions(ctx, bucket, bucketPermissions())
	if err != nil {
		return q.bucketError(bucket, err)
	}
	var missing []string
	for _, p := range bucketPermissions() {
		if !slices.Contains(have, p) {
			missing = append(missing, p)
		}
	}
	if len(missing) > 0 {
		return pluginsdk.Config("config.bucket_name", "%s lacks %s on the bucket %s; the role Storage Object User has them", account(q.Who()), strings.Join(missing, ", "), bucket)
	}
	return nil
}

// checkStep looks at what a step needs: registry, persistent resource, quota.
func (q *session) checkStep(ctx context.Context, s *pluginsdk.Step) []error {
	var set Settings
	if err := s.DecodeSettings(&set); err != nil {
		return []error{err}
	}
	var found []error
	if image := s.Environment.Image; image != nil {
		found = append(found, q.checkImage(ctx, image.Reference))
	}
	picked, err := machines().choose(set, s.Resources)
	if err != nil {
		return append(found, err)
	}
	if set.PersistentResource != "" {
		return append(found, q.checkPersistent(ctx, set.PersistentResource))
	}
	return append(found, q.checkQuota(ctx, picked, max(s.Resources.Nodes, 1), set.Strategy == "SPOT"))
}

// checkImage looks for the repository of an image of Artifact Registry; other
// registries are the host's to check.
func (q *session) checkImage(ctx context.Context, reference string) error {
	registry, repository, _ := strings.Cut(reference, "/")
	location, ok := artifactLocation(registry)
	parts := strings.SplitN(repository, "/", 3)
	if !ok {
		if containerRegistry(registry) || !strings.ContainsAny(registry, ".:") || strings.HasPrefix(registry, "docker.io") {
			return nil
		}
		return pluginsdk.Warn("environment.registry", "Vertex AI pulls images from Artifact Registry, Container Registry and public registries; that it can pull from %s is not known", registry)
	}
	if len(parts) < 2 {
		return pluginsdk.Config("environment.image", "an image of Artifact Registry is named LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE")
	}
	there, err := q.RepositoryExists(ctx, parts[0], location, parts[1])
	switch {
	case err != nil:
		return q.repositoryError(parts, err)
	case !there:
		return pluginsdk.Warn("environment.registry", "the repository %s does not exist in %s, %s; it is made by the first launch if the login may do that", parts[1], parts[0], location)
	}
	return nil
}

func (q *session) checkPersistent(ctx context.Context, id string) error {
	r, err := q.Resources.GetPersistentResource(ctx, &aiplatformpb.GetPersistentResourceRequest{Name: q.parent() + "/persistentResources/" + id})
	switch {
	case gcp.IsNotFound(err):
		return pluginsdk.Config("settings.persistent_resource_id", "there is no persistent resource %s in %s, %s", id, q.project, q.c.Region)
	case err != nil:
		return q.ask(err)
	case r.GetState() != aiplatformpb.PersistentResource_RUNNING:
		return pluginsdk.Warn("settings.persistent_resource_id", "the persistent resource %s is %s: a job waits until it runs", id, r.GetState())
	}
	return nil
}

// checkQuota compares the accelerators with the project's limit. A limit that
// cannot be read is no finding against the launch.
func (q *session) checkQuota(ctx context.Context, picked chosen, nodes int64, spot bool) error {
	metric := quotaMetric(picked.accelerator, spot)
	if metric == "" || picked.count == 0 {
		return nil
	}
	limit, found, err := q.Quota(ctx, q.project, q.c.Region, metric)
	switch need := int64(picked.count) * nodes; {
	case gcp.IsHTTP(err, http.StatusForbidden), gcp.IsHTTP(err, http.StatusNotFound):
		return pluginsdk.Warn("", "the quota of %s cannot be read (API cloudquotas.googleapis.com, role Cloud Quotas Viewer): %s", metric, err)
	case err != nil:
		return q.ask(err)
	case found && limit < need:
		return pluginsdk.Config("resources.gpu", "the step needs %d of %s, and the quota of %s in %s is %d: ask for more at https://console.cloud.google.com/iam-admin/quotas?project=%s",
			need, metric, q.project, q.c.Region, limit, q.project)
	}
	return nil
}

// quotaMetric is the metric of an accelerator, as quota errors of Vertex AI name
// it (custom_model_training_nvidia_l4_gpus:
// GoogleCloudPlatform/stable-diffusion-on-gcp#12).
func quotaMetric(accelerator string, spot bool) string {
	name, ok := map[string]string{
		"NVIDIA_TESLA_P100": "nvidia_p100_gpus", "NVIDIA_TESLA_V100": "nvidia_v100_gpus", "NVIDIA_TESLA_P4": "nvidia_p4_gpus",
		"NVIDIA_TESLA_T4": "nvidia_t4_gpus", "NVIDIA_TESLA_A100": "nvidia_a100_gpus", "NVIDIA_A100_80GB": "nvidia_a100_80gb_gpus",
		"NVIDIA_L4": "nvidia_l4_gpus", "NVIDIA_H100_80GB": "nvidia_h100_gpus", "NVIDIA_H100_MEGA_80GB": "nvidia_h100_mega_gpus",
		"NVIDIA_H200_141GB": "nvidia_h200_gpus",
	}[accelerator]
	if !ok {
		return ""
	}
	if spot {
		return "custom_model_training_preemptible_" + name
	}
	return "custom_model_training_" + name
}
