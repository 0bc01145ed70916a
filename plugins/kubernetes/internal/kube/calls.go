package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
)

func (c *Cluster) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.timeout)
}

// in addresses a kind in the namespace.
func (c *Cluster) in(r *rest.Request, resource string) *rest.Request {
	return r.Namespace(c.Namespace).Resource(resource)
}

// CreateJob makes the one creating call of a submission.
func (c *Cluster) CreateJob(ctx context.Context, job *batchv1.Job) (*batchv1.Job, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	made := &batchv1.Job{}
	return made, c.in(c.batch.Post(), "jobs").Body(job).Do(ctx).Into(made)
}

// Job reads a Job by name.
func (c *Cluster) Job(ctx context.Context, name string) (*batchv1.Job, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	job := &batchv1.Job{}
	return job, c.in(c.batch.Get(), "jobs").Name(name).Do(ctx).Into(job)
}

// PatchJob sends a merge patch.
func (c *Cluster) PatchJob(ctx context.Context, name string, patch any) (*batchv1.Job, error) {
	return c.patchJob(ctx, types.MergePatchType, name, patch)
}

// Op is one operation of a JSON patch (RFC 6902).
type Op struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// PatchJobIf sends a JSON patch. Where one of its tests does not hold nothing is
// changed, and the error is TestFailed.
func (c *Cluster) PatchJobIf(ctx context.Context, name string, ops ...Op) (*batchv1.Job, error) {
	return c.patchJob(ctx, types.JSONPatchType, name, ops)
}

// TestFailed tells whether a test of a JSON patch did not hold: the API server
// answers 422 then, and for what it tests nothing else can be invalid.
func TestFailed(err error) bool { return apierrors.IsInvalid(err) }

func (c *Cluster) patchJob(ctx context.Context, kind types.PatchType, name string, patch any) (*batchv1.Job, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	body, err := json.Marshal(patch)
	if err != nil {
		return nil, err
	}
	job := &batchv1.Job{}
	return job, c.in(c.batch.Patch(kind), "jobs").Name(name).Body(body).Do(ctx).Into(job)
}

// DeleteJob deletes the Job of a UID; its pods and what it owns go first.
func (c *Cluster) DeleteJob(ctx context.Context, name string, uid types.UID) error {
	return c.deleteJob(ctx, name, metav1.DeletePropagationForeground, &metav1.Preconditions{UID: &uid})
}

// DeleteJobAt deletes the Job of a UID if nobody has changed it since version.
func (c *Cluster) DeleteJobAt(ctx context.Context, name string, uid types.UID, version string) error {
	return c.deleteJob(ctx, name, metav1.DeletePropagationBackground, &metav1.Preconditions{UID: &uid, ResourceVersion: &version})
}

func (c *Cluster) deleteJob(ctx context.Context, name string, how metav1.DeletionPropagation, only *metav1.Preconditions) error {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	return c.in(c.batch.Delete(), "jobs").Name(name).Body(&metav1.DeleteOptions{
		TypeMeta:          metav1.TypeMeta{Kind: "DeleteOptions", APIVersion: "v1"},
		PropagationPolicy: &how, Preconditions: only,
	}).Do(ctx).Error()
}

// DeletePod deletes the pod of a UID with a grace in seconds.
func (c *Cluster) DeletePod(ctx context.Context, name string, uid types.UID, grace int64) error {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	return c.in(c.core.Delete(), "pods").Name(name).Body(&metav1.DeleteOptions{
		TypeMeta:           metav1.TypeMeta{Kind: "DeleteOptions", APIVersion: "v1"},
		GracePeriodSeconds: &grace, Preconditions: &metav1.Preconditions{UID: &uid},
	}).Do(ctx).Error()
}

// Jobs lists by label selector.
func (c *Cluster) Jobs(ctx context.Context, o metav1.ListOptions) (*batchv1.JobList, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	list := &batchv1.JobList{}
	return list, c.in(c.batch.Get(), "jobs").VersionedParams(&o, c.params).Do(ctx).Into(list)
}

// Pods lists by label selector.
func (c *Cluster) Pods(ctx context.Context, o metav1.ListOptions) (*corev1.PodList, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	list := &corev1.PodList{}
	return list, c.in(c.core.Get(), "pods").VersionedParams(&o, c.params).Do(ctx).Into(list)
}

// Events lists by field selector.
func (c *Cluster) Events(ctx context.Context, o metav1.ListOptions) (*corev1.EventList, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	list := &corev1.EventList{}
	return list, c.in(c.core.Get(), "events").VersionedParams(&o, c.params).Do(ctx).Into(list)
}

// WatchJobs and WatchPods watch by label selector until ctx ends.
func (c *Cluster) WatchJobs(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	o.Watch = true
	return c.in(c.batch.Get(), "jobs").VersionedParams(&o, c.params).Watch(ctx)
}

// WatchPods is WatchJobs for pods.
func (c *Cluster) WatchPods(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	o.Watch = true
	return c.in(c.core.Get(), "pods").VersionedParams(&o, c.params).Watch(ctx)
}

// Log opens the log of a pod.
func (c *Cluster) Log(ctx context.Context, pod string, o *corev1.PodLogOptions) (io.ReadCloser, error) {
	return c.in(c.core.Get(), "pods").Name(pod).SubResource("log").VersionedParams(o, c.params).Stream(ctx)
}

// PodURL is the address at which the API server relays a port of a pod.
func (c *Cluster) PodURL(pod string, port int) string {
	return c.in(c.core.Get(), "pods").Name(fmt.Sprintf("%s:%d", pod, port)).SubResource("proxy").URL().String()
}

// HTTP is a client with these credentials.
func (c *Cluster) HTTP() *http.Client { return c.http }

// CreateSecret creates a Secret.
func (c *Cluster) CreateSecret(ctx context.Context, s *corev1.Secret) error {
	return c.create(ctx, c.core, "secrets", s)
}

// CreateService creates a Service.
func (c *Cluster) CreateService(ctx context.Context, s *corev1.Service) error {
	return c.create(ctx, c.core, "services", s)
}

func (c *Cluster) create(ctx context.Context, client rest.Interface, resource string, o runtime.Object) error {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	return c.in(client.Post(), resource).Body(o).Do(ctx).Error()
}

// Secret reads a Secret's metadata and values.
func (c *Cluster) Secret(ctx context.Context, name string) (*corev1.Secret, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	s := &corev1.Secret{}
	return s, c.in(c.core.Get(), "secrets").Name(name).Do(ctx).Into(s)
}

// Service reads a Service.
func (c *Cluster) Service(ctx context.Context, name string) (*corev1.Service, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	s := &corev1.Service{}
	return s, c.in(c.core.Get(), "services").Name(name).Do(ctx).Into(s)
}

// Delete deletes an object of the core group by name.
func (c *Cluster) Delete(ctx context.Context, resource, name string) error {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	return c.in(c.core.Delete(), resource).Name(name).Do(ctx).Error()
}

// NamespaceUID reads the UID of a namespace.
func (c *Cluster) NamespaceUID(ctx context.Context, name string) (types.UID, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	n := &corev1.Namespace{}
	err := c.core.Get().Resource("namespaces").Name(name).Do(ctx).Into(n)
	return n.UID, err
}

// ServiceAccount reads a service account.
func (c *Cluster) ServiceAccount(ctx context.Context, name string) (*corev1.ServiceAccount, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	a := &corev1.ServiceAccount{}
	return a, c.in(c.core.Get(), "serviceaccounts").Name(name).Do(ctx).Into(a)
}

// Nodes lists the nodes.
func (c *Cluster) Nodes(ctx context.Context, o metav1.ListOptions) (*corev1.NodeList, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	list := &corev1.NodeList{}
	return list, c.core.Get().Resource("nodes").VersionedParams(&o, c.params).Do(ctx).Into(list)
}

// May asks whether these credentials may do verb to a resource ("pods/log") of
// a group in the namespace.
func (c *Cluster) May(ctx context.Context, verb, group, resource, subresource string) (bool, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: c.Namespace, Verb: verb, Group: group, Resource: resource, Subresource: subresource,
		}}}
	err := c.authz.Post().Resource("selfsubjectaccessreviews").Body(review).Do(ctx).Into(review)
	return review.Status.Allowed, err
}

// AccountMay asks whether a service account of the namespace may do verb to a
// resource there. Not everybody may ask that.
func (c *Cluster) AccountMay(ctx context.Context, account, verb, group, resource string) (bool, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	review := &authorizationv1.LocalSubjectAccessReview{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace},
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User:               "system:serviceaccount:" + c.Namespace + ":" + account,
			Groups:             []string{"system:serviceaccounts", "system:serviceaccounts:" + c.Namespace, "system:authenticated"},
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: c.Namespace, Verb: verb, Group: group, Resource: resource},
		}}
	err := c.in(c.authz.Post(), "localsubjectaccessreviews").Body(review).Do(ctx).Into(review)
	return review.Status.Allowed, err
}
