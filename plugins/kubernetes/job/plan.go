package job

import (
	"context"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/stephost/stephost/pluginsdk"
)

// placeholderKey stands in names and labels before there is a key. It is valid
// in both, so that kubectl takes the plan.
const placeholderKey = "known-at-launch"

// Plan shows what Submit would send, as YAML for kubectl: the Job, then what
// follows it. Values of secrets are not in it.
func (f *Flavor) Plan(_ context.Context, c Config, s *pluginsdk.Step, _ bool) (pluginsdk.Plan, error) {
	return f.PlanOf(c, s, request)
}

// PlanOf is Plan for what how makes of the step.
func (f *Flavor) PlanOf(c Config, s *pluginsdk.Step, how Make) (pluginsdk.Plan, error) {
	var notes []string
	if s.Key == "" {
		s.Key = placeholderKey
		notes = append(notes, "the name ends in the attempt's key, which is made at launch")
	}
	b, err := made(c, s, how)
	if err != nil {
		return pluginsdk.Plan{}, err
	}
	objects := []runtime.Object{b.job}
	if b.secret != nil {
		shown := b.secret.DeepCopy()
		shown.StringData = map[string]string{}
		for key := range shown.Data {
			shown.StringData[key] = pluginsdk.Secret{}.String()
		}
		shown.Data = nil
		objects = append(objects, shown)
		notes = append(notes, "the Job is made suspended, then the Secret, which it owns; then the Job begins")
	}
	if b.service != nil {
		objects = append(objects, b.service)
	}
	var text strings.Builder
	for i, o := range objects {
		if i > 0 {
			text.WriteString("---\n")
		}
		doc, err := document(o, c.Namespace)
		if err != nil {
			return pluginsdk.Plan{}, err
		}
		text.Write(doc)
	}
	return pluginsdk.Plan{Request: text.String(), Format: "yaml", Notes: append(notes, b.notes...)}, nil
}

// document is one object as YAML, without what only a server fills in.
func document(o runtime.Object, namespace string) ([]byte, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return nil, err
	}
	delete(fields, "status")
	if meta, ok := fields["metadata"].(map[string]any); ok {
		delete(meta, "creationTimestamp")
		if namespace != "" {
			meta["namespace"] = namespace
		}
	}
	prune(fields)
	return yaml.Marshal(fields)
}

// prune drops what is null and the empty metadata of templates.
func prune(fields map[string]any) {
	for name, value := range fields {
		switch v := value.(type) {
		case nil:
			delete(fields, name)
		case map[string]any:
			prune(v)
			if name == "status" || name == "metadata" && len(v) == 0 {
				delete(fields, name)
			}
		case []any:
			for _, item := range v {
				if m, ok := item.(map[string]any); ok {
					prune(m)
				}
			}
		}
	}
}
