package job

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/stephost/stephost/pluginsdk"
)

// built is what Submit sends, and what Plan shows.
type built struct {
	job *batchv1.Job
	// secret and service follow the Job, owned by it; nil where none is needed.
	secret  *corev1.Secret
	service *corev1.Service
	notes   []string
}

func (b *built) note(format string, args ...any) {
	b.notes = append(b.notes, fmt.Sprintf(format, args...))
}

// incomplete tells whether the Job must wait for what follows it.
func (b *built) incomplete() bool { return b.secret != nil || b.service != nil }

// watchNote is what Watch needs to know of the settings; it travels with the Job,
// because whoever watches may have only the handle.
type watchNote struct {
	FailFast []string `json:"failFast,omitempty"`
	// Startup is the longest wait in seconds until all pods run.
	Startup int64 `json:"startup,omitempty"`
}

// build makes the objects of a request. It asks nobody. Errors are what a person
// wrote (class config).
func (r Request) build() (*built, error) {
	c, settings, s := r.Config, r.Settings, r.Step
	if err := checkTexts(s); err != nil {
		return nil, err
	}
	if s.Environment.Image == nil || s.Environment.Image.Reference == "" {
		return nil, pluginsdk.Config("environment", "a Kubernetes Job needs an image")
	}
	b := &built{notes: r.Notes}
	name := jobName(c.JobNamePrefix, s.Key)
	nodes := int32(max(s.Resources.Nodes, 1))
	if s.Resources.Nodes > maxNodes {
		return nil, pluginsdk.Config("resources.nodes", "%d nodes are more than %d", s.Resources.Nodes, maxNodes)
	}
	own := identity(s)
	labels, asNotes, odd := stepLabels(s.Labels)
	if len(odd) > 0 {
		slices.Sort(odd)
		b.note("labels %s -> annotations: Kubernetes takes them as no labels", strings.Join(odd, ", "))
	}
	watch, err := json.Marshal(watchNote{FailFast: settings.FailFast, Startup: int64(settings.StartupTimeout / time.Second)})
	if err != nil {
		return nil, err
	}
	b.secret = secretOf(name, own, s)
	spec, err := b.pod(c, settings, s, name, nodes)
	if err != nil {
		return nil, err
	}
	b.job = &batchv1.Job{
		TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{
			Name:        name,
			Labels:      merged(labels, settings.JobLabels, own),
			Annotations: merged(asNotes, settings.JobAnnotations, notes(s), map[string]string{noteWatch: string(watch)}),
		},
		Spec: batchv1.JobSpec{
			Parallelism: &nodes, Completions: &nodes,
			BackoffLimit: new(int32), // one start
			// Without it a pod that is still ending would get a successor at once.
			PodReplacementPolicy:    ptr(batchv1.Failed),
			PodFailurePolicy:        failurePolicy(),
			TTLSecondsAfterFinished: settings.TTL,
			ActiveDeadlineSeconds:   settings.ActiveDeadline,
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{
					Labels:      merged(labels, settings.PodLabels, own),
					Annotations: merged(settings.PodAnnotations, map[string]string{noteRun: s.RunID}),
				},
				Spec: *spec,
			},
		},
	}
	if nodes > 1 {
		b.job.Spec.CompletionMode = ptr(batchv1.IndexedCompletion)
		b.service = serviceOf(name, own)
		b.note("nodes %d -> an Indexed Job; rank 0 is %s-0.%s, port %d", nodes, name, name, masterPort)
	}
	if b.incomplete() {
		b.job.Spec.Suspend = ptr(true)
		b.job.Annotations[noteIncomplete] = "true"
	}
	if r.Shape != nil {
		return b, r.Shape(b.job)
	}
	return b, nil
}

// made makes the objects of a step.
func made(c Config, s *pluginsdk.Step, how Make) (*built, error) {
	r, err := how(c, s)
	if err != nil {
		return nil, err
	}
	return r.build()
}

// maxNodes bounds the pods of a Job; with more an Indexed Job has other rules.
const maxNodes = 10000

// failurePolicy ends the Job with the first pod that fails. backoffLimit 0 does
// the same; the rules make the Job's own condition name the cause, which is there
// when the pod is not any more.
func failurePolicy() *batchv1.PodFailurePolicy {
	return &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{
		{Action: batchv1.PodFailurePolicyActionFailJob, OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{
			{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue}}},
		{Action: batchv1.PodFailurePolicyActionFailJob, OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{
			ContainerName: ptr(containerName), Operator: batchv1.PodFailurePolicyOnExitCodesOpNotIn, Values: []int32{0}}},
	}}
}

// secretOf is the Secret for the step's secrets, nil for none.
func secretOf(name string, labels map[string]string, s *pluginsdk.Step) *corev1.Secret {
	if len(s.Secrets) == 0 {
		return nil
	}
	secret := &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Type:       corev1.SecretTypeOpaque, Immutable: ptr(true), Data: map[string][]byte{},
	}
	for variable, value := range s.Secrets {
		secret.Data[secretKey(s.Secrets, variable)] = []byte(value.Reveal())
	}
	return secret
}

// secretKey is the key of a variable in the Secret: its own name where that is
// allowed.
func secretKey(all map[string]pluginsdk.Secret, variable string) string {
	if len(validation.IsConfigMapKey(variable)) == 0 {
		return variable
	}
	return "secret-" + strconv.Itoa(slices.Index(slices.Sorted(maps.Keys(all)), variable)) + "-" + tokenHash(variable)[:8]
}

// serviceOf gives the pods of several nodes names before they are ready.
func serviceOf(name string, labels map[string]string) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: corev1.ServiceSpec{
			ClusterIP: corev1.ClusterIPNone, PublishNotReadyAddresses: true,
			Selector: map[string]string{labelKey: labels[labelKey]},
			Ports:    []corev1.ServicePort{{Name: "rendezvous", Port: masterPort, TargetPort: intstr.FromInt32(masterPort)}},
		},
	}
}

// checkTexts refuses what no process can be given.
func checkTexts(s *pluginsdk.Step) error {
	for i, arg := range s.Argv {
		if strings.ContainsRune(arg, 0) {
			return pluginsdk.Config("command."+strconv.Itoa(i), "an argument cannot hold a NUL byte")
		}
	}
	for name, value := range s.Env {
		if badName(name) || strings.ContainsRune(value, 0) {
			return pluginsdk.Config("env."+name, "%.80q is no environment variable that a container can be given", name)
		}
	}
	for name, value := range s.Secrets {
		if badName(name) || strings.ContainsRune(value.Reveal(), 0) {
			return pluginsdk.Config("secrets."+name, "%.80q is no environment variable that a container can be given", name)
		}
	}
	return nil
}

// badName follows the wider of Kubernetes' two rules (since 1.34 that is the only
// one): printable ASCII without "=".
func badName(name string) bool { return len(validation.IsRelaxedEnvVarName(name)) > 0 }

func ptr[T any](v T) *T { return &v }
