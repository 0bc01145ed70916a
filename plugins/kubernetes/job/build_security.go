package job

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/stephost/stephost/pluginsdk"
)

// Levels of the Pod Security Standards.
// https://kubernetes.io/docs/concepts/security/pod-security-standards/
const (
	levelRestricted = "restricted"
	levelPrivileged = "privileged"
)

// ordinaryUser is the user and group that a restricted pod runs as, because an
// image that names none runs as root, which the level forbids.
const ordinaryUser = 1000

// forcedUser tells whether the pods run as a user that the image may not know.
func forcedUser(settings Settings) bool { return settings.PodSecurity == levelRestricted }

// secure sets the security contexts of the level, and then what a person wrote:
// fields that the settings name replace the level's, the others stay.
func secure(settings Settings, spec *corev1.PodSpec, container *corev1.Container) error {
	pod, own := &corev1.PodSecurityContext{}, &corev1.SecurityContext{}
	if settings.PodSecurity != levelPrivileged {
		pod.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	}
	if settings.PodSecurity == levelRestricted {
		pod.RunAsNonRoot = ptr(true)
		pod.RunAsUser, pod.RunAsGroup, pod.FSGroup = ptr(int64(ordinaryUser)), ptr(int64(ordinaryUser)), ptr(int64(ordinaryUser))
		own.AllowPrivilegeEscalation = ptr(false)
		own.Capabilities = &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}
	}
	if settings.Privileged {
		own.Privileged = ptr(true)
	}
	if err := native(settings.SecurityContext, pod); err != nil {
		return pluginsdk.Config("settings.security_context", "%w", err)
	}
	if err := native(settings.ContainerContext, own); err != nil {
		return pluginsdk.Config("settings.container_security_context", "%w", err)
	}
	spec.SecurityContext, container.SecurityContext = pod, own
	return nil
}
