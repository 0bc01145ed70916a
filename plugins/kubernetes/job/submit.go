package job

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stephost/stephost/plugins/kubernetes/internal/kube"
	"github.com/stephost/stephost/pluginsdk"
)

// Submit creates the Job and, where it needs one, what follows it.
//
// Crash cases: this process dies before the Job is created (nothing exists); it
// dies behind that, or the answer is lost (the name is taken; Find tells the Job,
// and the next Submit gets "already exists", compares it, and finishes it: an
// incomplete Job is suspended, so nothing runs without its Secret); two Submits
// of a key finish the same Job at once (each step of it may be repeated); a
// cancel overtakes an incomplete Job (it is marked as ended and stays suspended).
func (f *Flavor) Submit(ctx context.Context, c Config, s *pluginsdk.Step) (pluginsdk.Handle, error) {
	return f.SubmitOf(ctx, c, s, request)
}

// SubmitOf is Submit for what how makes of the step.
func (f *Flavor) SubmitOf(ctx context.Context, c Config, s *pluginsdk.Step, how Make) (pluginsdk.Handle, error) {
	cluster, err := f.cluster(ctx, c)
	if err != nil {
		return pluginsdk.Handle{}, pluginsdk.Rejected(err)
	}
	b, err := made(c, s, how)
	if err != nil {
		return pluginsdk.Handle{}, f.unlessThere(ctx, cluster, jobName(c.JobNamePrefix, s.Key), err)
	}
	job, err := cluster.CreateJob(ctx, b.job)
	existing := apierrors.IsAlreadyExists(err)
	switch {
	case existing:
		if job, err = cluster.Job(ctx, b.job.Name); err != nil {
			// It was there a moment ago, and may be deleted just now.
			return pluginsdk.Handle{}, kube.Ask(err)
		}
		if err := same(job, s); err != nil {
			return pluginsdk.Handle{}, err
		}
	case err != nil:
		return pluginsdk.Handle{}, kube.Rejected(f.explained(ctx, cluster, err))
	}
	if incomplete(job) {
		if job, err = f.finish(ctx, cluster, job, b); err != nil {
			return pluginsdk.Handle{}, err
		}
	}
	return handleOf(job, existing), nil
}

// unlessThere rejects a request that cannot be built, unless an earlier one of
// the same key got further.
func (f *Flavor) unlessThere(ctx context.Context, cluster *kube.Cluster, name string, err error) error {
	if _, found := cluster.Job(ctx, name); apierrors.IsNotFound(found) {
		return pluginsdk.Rejected(err)
	}
	return err
}

// explained says what a 404 of a creating call means: the namespace.
func (f *Flavor) explained(_ context.Context, cluster *kube.Cluster, err error) error {
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("the namespace %s: %w", cluster.Namespace, err)
	}
	return err
}

// same compares the Job under a name with the one that is being submitted.
func same(job *batchv1.Job, s *pluginsdk.Step) error {
	if job.Labels[labelKey] == s.Key && job.Annotations[noteDigest] == s.RequestDigest && job.Annotations[noteToken] == s.Token {
		if job.DeletionTimestamp != nil && incomplete(job) {
			return pluginsdk.Unreachable(fmt.Errorf("the Job %s is being deleted", job.Name))
		}
		return nil
	}
	return pluginsdk.Rejected(pluginsdk.Config("",
		"the Job %s/%s belongs to another request (run %s, attempt %d): nothing was created", job.Namespace, job.Name, job.Annotations[noteRun], attemptOf(job)))
}

// finish creates what an incomplete Job waits for and lets it begin.
func (f *Flavor) finish(ctx context.Context, cluster *kube.Cluster, job *batchv1.Job, b *built) (*batchv1.Job, error) {
	owner := []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: job.Name, UID: job.UID}}
	if b.secret != nil {
		b.secret.OwnerReferences = owner
		err := cluster.CreateSecret(ctx, b.secret)
		if apierrors.IsAlreadyExists(err) {
			err = owned(job, func() (metav1.Object, error) { return cluster.Secret(ctx, b.secret.Name) })
		}
		if err != nil {
			return nil, f.stuck(ctx, cluster, job, fmt.Errorf("the Secret of the Job %s: %w", job.Name, err))
		}
	}
	if b.service != nil {
		b.service.OwnerReferences = owner
		err := cluster.CreateService(ctx, b.service)
		if apierrors.IsAlreadyExists(err) {
			err = owned(job, func() (metav1.Object, error) { return cluster.Service(ctx, b.service.Name) })
		}
		if err != nil {
			return nil, f.stuck(ctx, cluster, job, fmt.Errorf("the Service of the Job %s: %w", job.Name, err))
		}
	}
	// The tests make it one act: a cancel that came in between has taken the mark
	// away, and must not be undone.
	begun, err := cluster.PatchJobIf(ctx, job.Name,
		kube.Op{Op: "test", Path: "/metadata/uid", Value: job.UID},
		kube.Op{Op: "test", Path: notePath(noteIncomplete), Value: "true"},
		kube.Op{Op: "remove", Path: notePath(noteIncomplete)},
		kube.Op{Op: "replace", Path: "/spec/suspend", Value: false})
	if kube.TestFailed(err) {
		return f.overtaken(ctx, cluster, job)
	}
	if err != nil {
		return nil, fmt.Errorf("the Job %s stays suspended: %w", job.Name, kube.Ask(err))
	}
	return begun, nil
}

// notePath is the place of an annotation in a JSON patch.
func notePath(note string) string {
	return "/metadata/annotations/" + strings.ReplaceAll(note, "/", "~1")
}

// overtaken looks who has changed the Job that was to begin: another Submit of
// the key, or a cancel.
func (f *Flavor) overtaken(ctx context.Context, cluster *kube.Cluster, job *batchv1.Job) (*batchv1.Job, error) {
	now, err := cluster.Job(ctx, job.Name)
	switch {
	case err != nil:
		return nil, kube.Ask(err)
	case now.UID != job.UID:
		return nil, fmt.Errorf("the Job %s was deleted and made anew by somebody else", job.Name)
	case incomplete(now):
		return nil, fmt.Errorf("the Job %s cannot begin: the API server refuses to change it", job.Name)
	}
	return now, nil
}

// stuckTries is how often a Job is read anew that changed before it was deleted:
// the Job controller writes its status two or three times at its beginning.
const stuckTries = 5

// stuck is for a Job that cannot be finished. Where the API server refuses what
// it waits for, it would wait for ever: it is deleted, if it is still what was
// read here, and then certainly nothing exists.
func (f *Flavor) stuck(ctx context.Context, cluster *kube.Cluster, job *batchv1.Job, err error) error {
	if !kube.Refusal(err) || apierrors.IsTooManyRequests(err) || apierrors.IsUnauthorized(err) {
		return kube.Ask(err)
	}
	for range stuckTries {
		now, gone := cluster.Job(ctx, job.Name)
		if gone != nil || now.UID != job.UID || !incomplete(now) {
			return err
		}
		switch gone := cluster.DeleteJobAt(ctx, now.Name, now.UID, now.ResourceVersion); {
		case gone == nil:
			return kube.Rejected(err)
		case !apierrors.IsConflict(gone):
			return err
		}
	}
	return err
}

// owned tells whether an object that is there already is the Job's.
func owned(job *batchv1.Job, get func() (metav1.Object, error)) error {
	o, err := get()
	if err != nil {
		return err
	}
	for _, owner := range o.GetOwnerReferences() {
		if owner.UID == job.UID {
			return nil
		}
	}
	return fmt.Errorf("%s is there already and belongs to something else", o.GetName())
}

// incomplete tells whether Submit must finish the Job.
func incomplete(job *batchv1.Job) bool {
	return job.Annotations[noteIncomplete] != "" && job.Annotations[noteEnd] == ""
}

func attemptOf(job *batchv1.Job) int {
	n, _ := strconv.Atoi(job.Labels[labelAttempt])
	return n
}
