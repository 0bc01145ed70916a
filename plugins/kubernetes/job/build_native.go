package job

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/yaml"

	"github.com/stephost/stephost/pluginsdk"
)

// native reads settings with names in snake case into Kubernetes' own types,
// which know every field that the manifest lets through.
func native(text []byte, into any) error {
	if len(text) == 0 || string(text) == "null" {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return err
	}
	out, err := json.Marshal(camel(value, false))
	if err != nil {
		return err
	}
	strict := json.NewDecoder(bytes.NewReader(out))
	strict.DisallowUnknownFields()
	return strict.Decode(into)
}

// camel changes the names of fields, leaves the keys of maps alone, and drops
// what is null: there null means "not set".
func camel(value any, isMap bool) any {
	switch v := value.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, item := range v {
			if item == nil {
				continue
			}
			if isMap {
				out[name] = item
				continue
			}
			out[camelName(name)] = camel(item, name == "match_labels" || name == "volume_attributes")
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = camel(item, isMap)
		}
		return out
	}
	return value
}

func camelName(name string) string {
	words := strings.Split(name, "_")
	for i, w := range words[1:] {
		if w != "" {
			words[i+1] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, "")
}

// patched applies pod_spec_patch: an object, or a text in YAML, with Kubernetes'
// own names.
func patched(patch []byte, spec *corev1.PodSpec) (*corev1.PodSpec, error) {
	if len(patch) == 0 || string(patch) == "null" {
		return spec, nil
	}
	fail := func(err error) (*corev1.PodSpec, error) {
		return nil, pluginsdk.Config("settings.pod_spec_patch", "pod_spec_patch: %w", err)
	}
	var text string
	if json.Unmarshal(patch, &text) == nil {
		converted, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			return fail(err)
		}
		patch = converted
	}
	if !bytes.HasPrefix(bytes.TrimSpace(patch), []byte("{")) {
		return fail(fmt.Errorf("it must be an object, such as { hostNetwork = true }"))
	}
	before, err := json.Marshal(spec)
	if err != nil {
		return fail(err)
	}
	after, err := strategicpatch.StrategicMergePatch(before, patch, corev1.PodSpec{})
	if err != nil {
		return fail(err)
	}
	// What the library does not know it keeps, and the API server would drop it
	// without a word.
	strict := json.NewDecoder(bytes.NewReader(after))
	strict.DisallowUnknownFields()
	out := &corev1.PodSpec{}
	if err := strict.Decode(out); err != nil {
		return fail(err)
	}
	return out, checkPatched(spec, out, fail)
}

// checkPatched refuses what would break what stephost promises.
func checkPatched(before, after *corev1.PodSpec, fail func(error) (*corev1.PodSpec, error)) error {
	var step *corev1.Container
	for i := range after.Containers {
		if after.Containers[i].Name == containerName {
			step = &after.Containers[i]
		}
	}
	var err error
	switch old := &before.Containers[0]; {
	case step == nil:
		_, err = fail(fmt.Errorf("it removes the container %q, which runs the step", containerName))
	case after.RestartPolicy != corev1.RestartPolicyNever:
		_, err = fail(fmt.Errorf("restartPolicy must stay Never: stephost starts a step again as a new attempt"))
	case step.Image != old.Image:
		_, err = fail(fmt.Errorf("it changes the image: write it in the step's environment"))
	case strings.Join(step.Command, "\x00") != strings.Join(old.Command, "\x00") || len(step.Args) > 0:
		_, err = fail(fmt.Errorf("it changes the command: write it in the step"))
	}
	return err
}
