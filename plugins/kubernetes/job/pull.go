package job

import (
	"fmt"
	"regexp"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// notLetIn are the words of a registry that does not let a node in, as the runtimes
// pass them on: containerd's "pull access denied, repository does not exist or may
// require authorization: authorization failed: no basic auth credentials", "unexpected
// status from HEAD request to ...: 401 Unauthorized" and "403 Forbidden"; CRI-O's
// "authentication required", "invalid status code from registry 403 (Forbidden)" and
// "denied: requested access to the resource is denied". That a token could not be
// fetched is none of them: often it is the network.
var notLetIn = regexp.MustCompile(`(?i)authorization failed|pull access denied|\b40[13] \(?(unauthorized|forbidden)|unauthorized: |authentication required|access to the resource is denied`)

// pullAdvice says what to do about an image that nodes may not pull; "" = something
// else is wrong with it, or with another thing.
func pullAdvice(job *batchv1.Job, reason, message string) string {
	if reason != "ImagePullBackOff" && reason != "ErrImagePull" || !notLetIn.MatchString(message) {
		return ""
	}
	secrets := job.Spec.Template.Spec.ImagePullSecrets
	if len(secrets) == 0 {
		return "; the registry does not let the node in: name a Secret of type kubernetes.io/dockerconfigjson in image_pull_secrets (kubectl create secret docker-registry), or let the nodes themselves pull from it"
	}
	return fmt.Sprintf("; the registry does not let the node in with the Secrets of image_pull_secrets (%s): look whether they are there, in the namespace %s, and for this registry", names(secrets), job.Namespace)
}

func names(secrets []corev1.LocalObjectReference) string {
	var out []string
	for _, s := range secrets {
		out = append(out, s.Name)
	}
	return strings.Join(out, ", ")
}
