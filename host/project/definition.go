package project

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stephost/stephost/host/problem"
)

// definition is the document behind Definition. Its fields are sorted by name
// in the JSON.
type definition struct {
	AllowVisibleSecrets bool              `json:"allow_visible_secrets"`
	Argv                []string          `json:"argv"`
	Config              json.RawMessage   `json:"config"`
	Env                 map[string]string `json:"env"`
	Environment         map[string]any    `json:"environment"`
	Labels              map[string]string `json:"labels"`
	Name                string            `json:"name"`
	Operator            string            `json:"operator"`
	Pipeline            string            `json:"pipeline"`
	PipelineRun         string            `json:"pipeline_run"`
	Resources           Resources         `json:"resources"`
	Retry               Retry             `json:"retry"`
	Secrets             []string          `json:"secrets"`
	Settings            json.RawMessage   `json:"settings"`
	Timeouts            map[string]string `json:"timeouts"`
	Version             int               `json:"v"`
}

// definitionVersion is that of the document: a difference in it alone says
// that another stephost wrote the other one.
const definitionVersion = 1

// Definition is what was written, as canonical JSON: equal for two launches of
// the same step exactly if their bytes are equal. It holds no secret value and
// no absolute path (a checkout may lie elsewhere on another machine), and
// neither origins nor where secrets come from: a token that moved from a file
// to the environment is the same step.
func (r *Resolved) Definition() []byte {
	doc := definition{
		AllowVisibleSecrets: r.AllowVisibleSecrets, Argv: r.Argv, Config: rawJSON(r.Config), Env: orEmpty(r.Env),
		Environment: r.Environment.written(), Labels: orEmpty(r.Labels), Name: r.Name, Operator: r.Operator, Pipeline: r.Pipeline,
		PipelineRun: r.PipelineRun, Resources: r.Resources, Retry: r.Retry, Settings: rawJSON(r.Settings),
		Timeouts: r.Timeouts.written(), Version: definitionVersion,
	}
	doc.Secrets = append(sortedKeys(r.Secrets), prefixed("config.", r.SecretConfig)...)
	doc.Secrets = append(doc.Secrets, prefixed("settings.", r.SecretSettings)...)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(doc); err != nil {
		// Config or Settings were not made by Resolve. An empty definition
		// equals no other one.
		return nil
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// orEmpty makes a map that came back from a record equal to a fresh one.
func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

func rawJSON(b []byte) json.RawMessage {
	if len(b) == 0 {
		return json.RawMessage("null")
	}
	return b
}

func prefixed(prefix string, m map[string]string) []string {
	out := sortedKeys(m)
	for i := range out {
		out[i] = prefix + out[i]
	}
	return out
}

func (t Timeouts) written() map[string]string {
	out := map[string]string{}
	for name, d := range map[string]time.Duration{"provisioning": t.Provisioning, "run": t.Run, "cancel": t.Cancel,
		"total": t.Total, "log_drain": t.LogDrain} {
		if d != 0 {
			out[name] = d.String()
		}
	}
	return out
}

// written is the environment with paths as they were written.
func (e Environment) written() map[string]any {
	out := map[string]any{}
	for name, s := range map[string]string{"kind": e.Kind, "image": e.Image, "base_image": e.BaseImage,
		"registry_push": e.RegistryPush, "registry_pull": e.RegistryPull, "platform": e.Platform, "python": e.Python,
		"dockerfile": e.WrittenDockerfile, "requirements_file": e.WrittenRequirementsFile} {
		if s != "" {
			out[name] = s
		}
	}
	if len(e.Requirements) > 0 {
		out["requirements"] = e.Requirements
	}
	var sources []map[string]any
	for _, s := range e.Sources {
		one := map[string]any{"path": s.Written}
		if s.Target != "" {
			one["target"] = s.Target
		}
		if len(s.Exclude) > 0 {
			one["exclude"] = s.Exclude
		}
		sources = append(sources, one)
	}
	if sources != nil {
		out["source"] = sources
	}
	if e.Override {
		out["override"] = true
	}
	if e.AllowLarge {
		out["allow_large"] = true
	}
	return out
}

// Difference is one value in which two definitions differ.
type Difference struct {
	// Path is for example "settings.volume_size", "env.LOG_LEVEL" or "argv[2]".
	Path string
	// Old and New are JSON texts; "" where the value is absent.
	Old, New string
}

// String is the difference on one bounded line.
func (d Difference) String() string {
	side := func(s string) string {
		if s == "" {
			return "(none)"
		}
		return problem.Bound(s, maxSide)
	}
	return fmt.Sprintf("%s: %s -> %s", problem.Bound(d.Path, maxSide), side(d.Old), side(d.New))
}

// maxSide bounds one value in the text of a difference.
const maxSide = 200

// DiffDefinitions compares two definitions, sorted by path. It fails when one
// of them is no definition.
func DiffDefinitions(old, new []byte) ([]Difference, error) {
	before, err := flatten(old)
	if err != nil {
		return nil, err
	}
	after, err := flatten(new)
	if err != nil {
		return nil, err
	}
	var out []Difference
	for path, o := range before {
		if n := after[path]; n != o {
			out = append(out, Difference{path, o, n})
		}
	}
	for path, n := range after {
		if _, both := before[path]; !both {
			out = append(out, Difference{path, "", n})
		}
	}
	slices.SortFunc(out, func(a, b Difference) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// flatten gives every scalar of a JSON document by path. Empty lists, empty
// maps and nulls are absent.
func flatten(doc []byte) (map[string]string, error) {
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	var root map[string]any
	if err := dec.Decode(&root); err != nil {
		return nil, fmt.Errorf("not a definition: %w", err)
	}
	out := map[string]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch x := v.(type) {
		case map[string]any:
			for k, e := range x {
				sub := k
				if path != "" {
					sub = path + "." + k
				}
				walk(sub, e)
			}
		case []any:
			for i, e := range x {
				walk(fmt.Sprintf("%s[%d]", path, i), e)
			}
		case nil:
		case string:
			var b bytes.Buffer
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false)
			_ = enc.Encode(x) // neither a string nor the buffer can fail
			out[path] = strings.TrimSuffix(b.String(), "\n")
		default:
			out[path] = fmt.Sprint(x)
		}
	}
	walk("", root)
	return out, nil
}
