package job

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/stephost/stephost/pluginsdk"
)

// Validate makes the request of the step and asks nobody. The kubeconfig is not
// read: a file may be checked on a machine that has none.
func (f *Flavor) Validate(_ context.Context, c Config, s *pluginsdk.Step) error {
	return f.ValidateOf(c, s, request)
}

// ValidateOf is Validate for what how makes of the step.
func (f *Flavor) ValidateOf(c Config, s *pluginsdk.Step, how Make) error {
	if _, err := c.place(); err != nil {
		return err
	}
	if s == nil {
		return nil
	}
	if s.Key == "" {
		s.Key = placeholderKey
	}
	_, err := made(c, s, how)
	return err
}

// secretRefs are the names of the variables that come from the Secret.
func secretRefs(containers []corev1.Container, secret string) []string {
	var names []string
	for _, c := range containers {
		for _, e := range c.Env {
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil && e.ValueFrom.SecretKeyRef.Name == secret {
				names = append(names, e.Name)
			}
		}
	}
	return names
}
