package job

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/stephost/stephost/pluginsdk"
)

// TestPullAdvice: who may not pull is told what to do; what else is wrong with an
// image keeps the kubelet's own words.
func TestPullAdvice(t *testing.T) {
	const denied = `Back-off pulling image "r.example/x@sha256:1": ErrImagePull: failed to resolve reference "r.example/x@sha256:1": pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials`
	for name, c := range map[string]struct {
		reason, message string
		secrets         []string
		says            string
	}{
		"no secret":     {"ImagePullBackOff", denied, nil, "name a Secret of type kubernetes.io/dockerconfigjson in image_pull_secrets"},
		"another one":   {"ImagePullBackOff", denied, []string{"a", "b"}, "the Secrets of image_pull_secrets (a, b)"},
		"status":        {"ErrImagePull", "unexpected status code: 401 Unauthorized", nil, "name a Secret"},
		"forbidden":     {"ErrImagePull", "unexpected status from HEAD request to https://r.example: 403 Forbidden", nil, "name a Secret"},
		"CRI-O":         {"ErrImagePull", "reading manifest: unauthorized: authentication required", nil, "name a Secret"},
		"not there":     {"ImagePullBackOff", `Back-off pulling image "r.example/x@sha256:4401f": not found`, nil, ""},
		"no connection": {"ImagePullBackOff", "dial tcp 10.0.0.1:443: connect: connection refused", nil, ""},
		"no token":      {"ImagePullBackOff", `failed to authorize: failed to fetch anonymous token: Get "https://auth.example/token": dial tcp 10.0.0.1:443: i/o timeout`, nil, ""},
		"another wait":  {"CreateContainerConfigError", "secret is unauthorized", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			job := jobFor(1, func(j *batchv1.Job) {
				j.Annotations[noteWatch] = `{"failFast":["ImagePullBackOff","ErrImagePull","CreateContainerConfigError"]}`
				for _, s := range c.secrets {
					j.Spec.Template.Spec.ImagePullSecrets = append(j.Spec.Template.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: s})
				}
			})
			end := overdue(job, pluginsdk.Status{Phase: pluginsdk.Provisioning, Reason: c.reason, Message: c.message}, job.CreationTimestamp.Add(time.Second))
			assert.Contains(t, end.Message, c.message)
			if c.says == "" {
				assert.Equal(t, c.message, end.Message)
			} else {
				assert.Contains(t, end.Message, c.says)
			}
		})
	}
}
