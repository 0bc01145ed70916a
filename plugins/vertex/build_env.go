package main

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"github.com/stephost/stephost/pluginsdk"
)

// Limits of a container's environment.
const (
	// maxVariables is the limit of ContainerSpec.env.
	maxVariables = 100
	// packedPart bounds one variable where many are packed into few. Assumption:
	// the size of a value has no documented limit; this one is far below that of
	// a process (128 KiB on Linux).
	packedPart = 32 << 10
	// packedOverhead leaves room for the parts of a packed environment: 640 KiB.
	packedOverhead = 20
)

// Variables that every step gets.
const (
	envRun       = "STEPHOST_RUN"
	envAttempt   = "STEPHOST_ATTEMPT"
	envOutputURI = "STEPHOST_OUTPUT_URI"
)

// mounted is where the containers of a job find the buckets as directories
// (https://cloud.google.com/vertex-ai/docs/training/cloud-storage-file-system).
const mounted = "/gcs/"

// container is what runs on each node.
type container struct {
	argv []string
	// env is the environment; shown is the same with references in the place of
	// secrets, for a plan.
	env, shown []*aiplatformpb.EnvVar
	notes      []string
}

// spec of the container.
func (c *container) spec(image string, secrets bool) *aiplatformpb.ContainerSpec {
	spec := &aiplatformpb.ContainerSpec{ImageUri: image, Command: c.argv[:1], Args: c.argv[1:], Env: c.shown}
	if secrets {
		spec.Env = c.env
	}
	return spec
}

// newContainer makes the container of a step.
//
// The API replaces $(NAME) in a value and makes one "$" of two
// (EnvVar.value). Where the image has the shim, values with a "$" travel
// packed, so that nothing depends on the rules of that; else they are escaped by
// them.
func newContainer(c Config, s *pluginsdk.Step, nodes int64) (*container, error) {
	if len(s.Secrets) > 0 && !s.AllowVisibleSecrets {
		return nil, pluginsdk.Config("secrets", "Vertex AI shows the environment of a job to everybody who may look at it: write allow_visible_secrets = true to accept that")
	}
	all, secret := variables(c, s)
	if nodes > 1 {
		if err := pluginsdk.RequireShim(s, "nodes > 1"); err != nil {
			return nil, err
		}
		all[pluginsdk.ShimRankFrom] = pluginsdk.ShimRankVertex
	}
	out := &container{}
	var err error
	if out.argv, err = argv(s, all); err != nil {
		return nil, err
	}
	pack, err := out.packed(s, all)
	if err != nil {
		return nil, err
	}
	fit, err := packEnv(all, pack)
	if err != nil {
		return nil, err
	}
	out.fill(all, fit, pack, secret)
	if len(secret) > 0 {
		out.notes = append(out.notes, "secrets are readable in the job by everybody who may look at it: "+strings.Join(slices.Sorted(maps.Keys(secret)), ", "))
	}
	return out, nil
}

// variables are those of the step and stephost's own.
func variables(c Config, s *pluginsdk.Step) (all map[string]string, secret map[string]bool) {
	all, secret = map[string]string{}, map[string]bool{}
	maps.Copy(all, s.Env)
	for name, value := range s.Secrets {
		all[name], secret[name] = value.Reveal(), true
	}
	// The run's id is read back from here: it may be any string, a label not.
	all[envRun], all[envAttempt] = s.RunID, strconv.Itoa(s.Attempt)
	if bucket, prefix := c.outputs(s.Key); bucket != "" {
		all[envOutputURI] = "gs://" + bucket + "/" + prefix
		if pluginsdk.HasShim(s) {
			all[pluginsdk.ShimOutputDir] = mounted + bucket + "/" + prefix
		}
	}
	return all, secret
}

// packed are the variables that travel packed.
func (c *container) packed(s *pluginsdk.Step, all map[string]string) (map[string]bool, error) {
	shim := pluginsdk.HasShim(s)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !identifier(name) && !shim {
			return nil, pluginsdk.Config("env."+name, "Vertex AI takes variables whose name is a C identifier, and %q is none; in an image that stephost builds (base_image) it can be had", name)
		}
	}
	pack := mustPack(all, shim)
	if len(all)-len(pack) <= maxVariables-packedOverhead {
		return pack, nil
	}
	if err := pluginsdk.RequireShim(s, "more than "+strconv.Itoa(maxVariables-packedOverhead)+" environment variables"); err != nil {
		return nil, err
	}
	for name := range all {
		pack[name] = pack[name] || !strings.HasPrefix(name, "STEPHOST_")
	}
	c.notes = append(c.notes, strconv.Itoa(len(all))+" environment variables travel packed: a container takes "+strconv.Itoa(maxVariables))
	return pack, nil
}

// fill makes the lists of variables, sorted by name.
func (c *container) fill(all, fit map[string]string, pack, secret map[string]bool) {
	secretPacked := false
	for name := range secret {
		secretPacked = secretPacked || pack[name]
	}
	for _, name := range slices.Sorted(maps.Keys(fit)) {
		value := escape(fit[name])
		c.env = append(c.env, &aiplatformpb.EnvVar{Name: name, Value: value})
		_, own := all[name]
		switch {
		case secret[name]:
			value = "(secret " + name + ")"
		case !own && secretPacked:
			value = "(packed, with secrets)"
		}
		c.shown = append(c.shown, &aiplatformpb.EnvVar{Name: name, Value: value})
	}
}

// mustPack are the variables that Vertex AI cannot carry, or would rewrite.
func mustPack(all map[string]string, shim bool) map[string]bool {
	pack := map[string]bool{}
	for name, value := range all {
		if shim && (!identifier(name) || strings.Contains(value, "$")) && name != envRun {
			pack[name] = true
		}
	}
	return pack
}

func packEnv(all map[string]string, pack map[string]bool) (map[string]string, error) {
	if len(pack) == 0 {
		return all, nil
	}
	also := slices.Sorted(maps.Keys(pack))
	packed, fit := map[string]string{}, map[string]string{}
	for name, value := range all {
		if pack[name] {
			packed[name] = value
		} else {
			fit[name] = value
		}
	}
	parts, _, err := pluginsdk.SplitEnv(packed, packedPart, also...)
	if err != nil {
		return nil, err
	}
	maps.Copy(fit, parts)
	return fit, nil
}

// escape keeps a value from being rewritten.
func escape(value string) string { return strings.ReplaceAll(value, "$", "$$") }

// unescape is the value that a container gets of an escaped one.
func unescape(value string) string { return strings.ReplaceAll(value, "$$", "$") }

// identifier tells whether name is a C identifier (EnvVar.name).
func identifier(name string) bool {
	for i, r := range name {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}

// argv is the container's command and arguments. The API says nothing about
// rewriting them, but the containers run on Kubernetes, which replaces $(NAME)
// where it knows NAME and makes one "$" of two (assumption). So arguments with
// either travel in the environment, which needs the shim.
func argv(s *pluginsdk.Step, all map[string]string) ([]string, error) {
	if !slices.ContainsFunc(s.Argv, func(a string) bool { return rewritten(a, all) }) {
		return pluginsdk.ContainerArgv(s), nil
	}
	if err := pluginsdk.RequireShim(s, `an argument with "$$" or "$(NAME)"`); err != nil {
		return nil, err
	}
	name, value, err := pluginsdk.ArgvEnv(s)
	if err != nil {
		return nil, err
	}
	all[name] = value
	return []string{pluginsdk.ShimPath}, nil
}

// rewritten tells whether an argument may be changed: by a variable of the step,
// or by one that the service may set, whose names are in capitals. $(date) and
// $((i + 1)) of a script are left alone.
func rewritten(arg string, all map[string]string) bool {
	if strings.Contains(arg, "$$") {
		return true
	}
	for _, part := range strings.Split(arg, "$(")[1:] {
		name, _, closed := strings.Cut(part, ")")
		if _, known := all[name]; closed && (known || identifier(name) && strings.ToUpper(name) == name) {
			return true
		}
	}
	return false
}
