package job

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/stephost/stephost/pluginsdk"
)

// masterPort is torchrun's default port; the ranks have an address each, so it
// is never taken.
const masterPort = 29500

// Slack of the run limit that the kubelet keeps. It is a backstop behind the
// host's own timer, which counts the run alone and says what it ended for: the
// kubelet counts from the moment that it accepts the pod.
const (
	deadlineSlack = time.Minute
	// startSlack is for pulling an image, where the step says no other limit.
	startSlack = 30 * time.Minute
)

// pod makes the spec of the pods.
func (b *built) pod(c Config, settings Settings, s *pluginsdk.Step, name string, nodes int32) (*corev1.PodSpec, error) {
	container := corev1.Container{
		Name: containerName, Image: s.Environment.Image.Reference, Command: escapeAll(pluginsdk.ContainerArgv(s)),
		ImagePullPolicy: corev1.PullPolicy(settings.ImagePullPolicy),
	}
	spec := &corev1.PodSpec{
		RestartPolicy:                 corev1.RestartPolicyNever,
		ServiceAccountName:            settings.ServiceAccount,
		AutomountServiceAccountToken:  &settings.AutomountToken,
		NodeSelector:                  maps.Clone(settings.NodeSelector),
		PriorityClassName:             settings.PriorityClass,
		HostIPC:                       settings.HostIPC,
		TerminationGracePeriodSeconds: &settings.GracePeriod,
		// A pod may see every Service of its namespace as variables: the step's
		// environment is what was written.
		EnableServiceLinks: ptr(false),
	}
	if settings.RuntimeClass != "" {
		spec.RuntimeClassName = &settings.RuntimeClass
	}
	for _, secret := range settings.ImagePullSecrets {
		spec.ImagePullSecrets = append(spec.ImagePullSecrets, corev1.LocalObjectReference{Name: secret})
	}
	if run := s.Deadlines.Run; run > 0 {
		start := s.Deadlines.Provisioning
		if start == 0 {
			start = startSlack
		}
		spec.ActiveDeadlineSeconds = ptr(int64((run + start + deadlineSlack) / time.Second))
	}
	for _, part := range []struct {
		from []byte
		path string
		into any
	}{
		{settings.Tolerations, "tolerations", &spec.Tolerations},
		{settings.Affinity, "affinity", &spec.Affinity},
		{settings.Volumes, "volumes", &spec.Volumes},
		{settings.VolumeMounts, "volume_mounts", &container.VolumeMounts},
		{settings.EnvFrom, "env_from", &container.EnvFrom},
	} {
		if err := native(part.from, part.into); err != nil {
			return nil, pluginsdk.Config("settings."+part.path, "%w", err)
		}
	}
	if err := b.resources(c, s, spec, &container); err != nil {
		return nil, err
	}
	if err := secure(settings, spec, &container); err != nil {
		return nil, err
	}
	if nodes > 1 {
		// With it the pods of an Indexed Job, whose host names end in their rank, have
		// names in the Service's domain.
		spec.Subdomain = name
	}
	container.Env = environment(settings, s, name, nodes)
	spec.Containers = []corev1.Container{container}
	return patched(settings.PodSpecPatch, spec)
}

// resources sets what the step asks for, as request and limit.
func (b *built) resources(c Config, s *pluginsdk.Step, spec *corev1.PodSpec, container *corev1.Container) error {
	r := s.Resources
	list := corev1.ResourceList{}
	if r.CPUMillis > 0 {
		list[corev1.ResourceCPU] = *resource.NewMilliQuantity(r.CPUMillis, resource.DecimalSI)
	}
	if r.MemoryBytes > 0 {
		list[corev1.ResourceMemory] = *resource.NewQuantity(r.MemoryBytes, resource.BinarySI)
	}
	if r.DiskBytes > 0 {
		list[corev1.ResourceEphemeralStorage] = *resource.NewQuantity(r.DiskBytes, resource.BinarySI)
	}
	if r.GPU > 0 {
		list[corev1.ResourceName(c.GPUResource)] = *resource.NewQuantity(r.GPU, resource.DecimalSI)
		b.note("gpu %d -> %s: %d", r.GPU, c.GPUResource, r.GPU)
	}
	if r.GPUType != "" {
		labels := c.GPUTypeLabels[r.GPUType]
		if len(labels) == 0 {
			return pluginsdk.Config("resources.gpu_type", "which nodes have a %s is not known: name their labels in the operator's config, gpu_type_labels = { %s = { \"nvidia.com/gpu.product\" = \"...\" } }%s",
				r.GPUType, strconv.Quote(r.GPUType), knownTypes(c))
		}
		for label, value := range labels {
			if other, ok := spec.NodeSelector[label]; ok && other != value {
				return pluginsdk.Config("resources.gpu_type", "gpu_type %s needs nodes with %s=%s, and node_selector asks for %s", r.GPUType, label, value, other)
			}
		}
		spec.NodeSelector = merged(spec.NodeSelector, labels)
		b.note("gpu_type %s -> nodes with %s", r.GPUType, pairs(labels))
	}
	if r.SharedMemoryBytes > 0 {
		// Memory that a volume of medium Memory holds counts as the container's own
		// (https://kubernetes.io/docs/concepts/storage/volumes/#emptydir).
		size := resource.NewQuantity(r.SharedMemoryBytes, resource.BinarySI)
		spec.Volumes = append(spec.Volumes, corev1.Volume{Name: "stephost-shm", VolumeSource: corev1.VolumeSource{
			EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory, SizeLimit: size}}})
		container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: "stephost-shm", MountPath: "/dev/shm"})
		b.note("shared_memory %s -> /dev/shm; what is used of it counts as memory", size)
	}
	if len(list) > 0 {
		container.Resources = corev1.ResourceRequirements{Requests: list, Limits: list.DeepCopy()}
	}
	return nil
}

func knownTypes(c Config) string {
	if len(c.GPUTypeLabels) == 0 {
		return ""
	}
	return "; known are " + strings.Join(slices.Sorted(maps.Keys(c.GPUTypeLabels)), ", ")
}

func pairs(m map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k+"="+m[k])
	}
	return strings.Join(out, ", ")
}

// environment is the environment of the step's container. A secret wins over a
// plain variable of the same name; what stephost promises wins over both.
func environment(settings Settings, s *pluginsdk.Step, name string, nodes int32) []corev1.EnvVar {
	plain := maps.Clone(s.Env)
	if plain == nil {
		plain = map[string]string{}
	}
	propose := func(variable, value string) {
		if _, secret := s.Secrets[variable]; !secret {
			if _, given := plain[variable]; !given {
				plain[variable] = value
			}
		}
	}
	if forcedUser(settings) {
		// A user that the image does not know has / for a home, which it cannot
		// write; many libraries make a cache there.
		propose("HOME", "/tmp")
	}
	var ranked []corev1.EnvVar
	if nodes > 1 {
		ranked = ranks(s, name, nodes, propose)
	}
	plain["STEPHOST_RUN"] = s.RunID
	plain["STEPHOST_ATTEMPT"] = strconv.Itoa(s.Attempt)
	for variable := range s.Secrets {
		delete(plain, variable)
	}
	var env []corev1.EnvVar
	for _, variable := range slices.Sorted(maps.Keys(plain)) {
		env = append(env, corev1.EnvVar{Name: variable, Value: escape(plain[variable])})
	}
	for _, variable := range slices.Sorted(maps.Keys(s.Secrets)) {
		env = append(env, corev1.EnvVar{Name: variable, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: name}, Key: secretKey(s.Secrets, variable)}}})
	}
	return append(env, ranked...)
}

// ranks are the variables of several nodes: stephost's own, what
// torch.distributed reads with one process on each node, and what torchrun takes
// for its options (PET_*). They need no shim: the rank is an annotation of each
// pod of an Indexed Job.
// https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode
func ranks(s *pluginsdk.Step, name string, nodes int32, propose func(variable, value string)) []corev1.EnvVar {
	count, port, master := strconv.Itoa(int(nodes)), strconv.Itoa(masterPort), name+"-0."+name
	for variable, value := range map[string]string{
		"STEPHOST_WORLD_SIZE": count, "STEPHOST_MASTER_ADDR": master, "STEPHOST_MASTER_PORT": port,
		"WORLD_SIZE": count, "MASTER_ADDR": master, "MASTER_PORT": port,
		"PET_NNODES": count, "PET_MASTER_ADDR": master, "PET_MASTER_PORT": port,
	} {
		propose(variable, value)
	}
	var env []corev1.EnvVar
	for _, variable := range []string{"NODE_RANK", "PET_NODE_RANK", "RANK", "STEPHOST_RANK"} {
		_, given := s.Env[variable]
		_, secret := s.Secrets[variable]
		if !given && !secret {
			env = append(env, corev1.EnvVar{Name: variable, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{
				APIVersion: "v1", FieldPath: "metadata.annotations['" + noteIndex + "']"}}})
		}
	}
	return env
}
