package project

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/diag"
)

// The parts of a body, each merged over levels (lowest first). Load runs them
// over one level to check it, Resolve over all.

// each gives one value per level.
func each(levels []*Body, get func(*Body) *Value) []*Value {
	out := make([]*Value, len(levels))
	for i, b := range levels {
		out[i] = get(b)
	}
	return out
}

// check runs every part over one body.
func (d *decoder) check(b *Body) {
	levels := []*Body{b}
	d.environment(levels)
	d.resources(levels)
	d.timeouts(levels)
	d.retry(levels)
	d.variables(levels)
	d.labels(levels)
	d.flag("allow_visible_secrets", d.pick("allow_visible_secrets", each(levels, func(b *Body) *Value { return b.AllowVisibleSecrets })))
}

// name is the name of a pipeline or pipeline run.
func (d *decoder) name(path string, values []*Value) string {
	w := d.pick(path, values)
	if w.set() && !w.val.IsWhollyKnown() {
		return LaunchTime
	}
	s := d.text(path, w)
	if !w.known() || s == "" && w.val.Type() != cty.String {
		return ""
	}
	if complaint := stepName(path, s); complaint != "" {
		d.fail(w.Range, "Invalid name", complaint+".")
	}
	return s
}

// command is the argv of the highest level that has one.
func (d *decoder) command(values []*Value) []string {
	before := len(d.diags)
	w := d.pick("command", values)
	if !w.set() || d.diags[before:].HasErrors() {
		return nil
	}
	if !w.val.IsKnown() {
		return []string{LaunchTime}
	}
	if !w.val.IsWhollyKnown() {
		return partlyKnown(w.val)
	}
	argv := d.texts("command", w, func(text string) string {
		return "It is passed to the process as it is, without a shell: command = " + spelledOut(text) + "."
	})
	switch {
	case argv == nil:
	case len(argv) == 0:
		d.fail(w.Range, "Empty command", `command needs at least the program: command = ["python", "train.py"].`)
	case argv[0] == "" && !d.diags[before:].HasErrors():
		d.fail(w.Range, "Empty command", "The first element of command is the program; it is empty.")
	}
	return argv
}

// partlyKnown is a list in which unknown elements read LaunchTime.
func partlyKnown(val cty.Value) []string {
	if !val.CanIterateElements() {
		return []string{LaunchTime}
	}
	var out []string
	for it := val.ElementIterator(); it.Next(); {
		_, el := it.Element()
		if el.IsKnown() && !el.IsNull() && el.Type() == cty.String {
			out = append(out, el.AsString())
			continue
		}
		out = append(out, LaunchTime)
	}
	return out
}

// spelledOut is a command line as a list, split at blanks outside of quotes:
// a proposal for a person, nothing that is run.
func spelledOut(text string) string {
	var words []string
	var word strings.Builder
	var quoted rune
	inside := false
	for _, r := range text {
		switch {
		case quoted != 0 && r == quoted:
			quoted = 0
		case quoted == 0 && (r == '\'' || r == '"'):
			quoted, inside = r, true
		case quoted == 0 && (r == ' ' || r == '\t' || r == '\n'):
			if inside {
				words = append(words, word.String())
				word.Reset()
			}
			inside = false
		default:
			word.WriteRune(r)
			inside = true
		}
	}
	if inside {
		words = append(words, word.String())
	}
	const most = 20
	more := ""
	if len(words) > most {
		words, more = words[:most], ", ..."
	}
	for i, w := range words {
		words[i] = hclString(w)
	}
	return "[" + strings.Join(words, ", ") + more + "]"
}

// hclString is a text as an HCL literal, bounded.
func hclString(s string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(quote(s))
}

func (d *decoder) timeouts(levels []*Body) Timeouts {
	get := func(name string) winner {
		return d.pick("timeouts."+name, each(levels, func(b *Body) *Value { return b.Timeouts[name] }))
	}
	var t Timeouts
	t.Provisioning = d.duration("timeouts.provisioning", get("provisioning"))
	run := get("run")
	t.Run = d.duration("timeouts.run", run)
	t.Cancel = d.duration("timeouts.cancel", get("cancel"))
	total := get("total")
	t.Total = d.duration("timeouts.total", total)
	t.LogDrain = d.duration("timeouts.log_drain", get("log_drain"))
	if t.Total > 0 && t.Run > t.Total {
		d.fail(run.Range, "Timeouts contradict each other", fmt.Sprintf(
			"timeouts.run (%s) is longer than timeouts.total (%s, %s).", t.Run, t.Total, d.shown(total.Range)))
	}
	return t
}

func (d *decoder) retry(levels []*Body) Retry {
	get := func(name string) int {
		path := "retry." + name
		return int(d.count(path, d.pick(path, each(levels, func(b *Body) *Value { return b.Retry[name] })), 0))
	}
	return Retry{Preempted: get("preempted"), Capacity: get("capacity"), System: get("system"), User: get("user")}
}

func (d *decoder) labels(levels []*Body) map[string]string {
	byKey := d.byKey("labels", each(levels, func(b *Body) *Value { return b.Labels }), labelName)
	out, _ := d.textMap("labels", byKey, labelValue)
	return out
}

// variables are the environment variables: plain ones and secrets (reference
// templates). A name is one or the other: the higher level decides.
func (d *decoder) variables(levels []*Body) (env, secrets map[string]string) {
	envKeys := d.byKey("env", each(levels, func(b *Body) *Value { return b.Env }), envName)
	env, envAt := d.textMap("env", envKeys, anyText)
	secretKeys := d.byKey("secrets", each(levels, func(b *Body) *Value { return b.Secrets }), envName)
	secrets = map[string]string{}
	for _, key := range sortedKeys(secretKeys) {
		v, level, val := d.secret(secretKeys[key], "secrets."+key)
		if v == nil {
			continue
		}
		if plain, both := envAt[key]; both {
			switch {
			case plain.level == level:
				d.fail(v.NameRange, "Written twice", fmt.Sprintf("%s is in env (%s) and in secrets; it can be one of them.", key, d.shown(plain.NameRange)))
				continue
			case plain.level > level:
				continue
			}
			delete(env, key)
			delete(d.origins, "env."+key)
		}
		d.origin("secrets."+key, v)
		secrets[key] = val
	}
	return env, secrets
}

// secret is the highest reference that is not null.
func (d *decoder) secret(values []*Value, path string) (*Value, int, string) {
	for level := len(values) - 1; level >= 0; level-- {
		v := values[level]
		if v == nil {
			continue
		}
		before := len(d.diags)
		val, ok := d.reference(path, v)
		switch {
		case d.diags[before:].HasErrors():
			return v, level, ""
		case !ok:
			continue // null: not set at this level
		case val.Type() != cty.String:
			d.diags = append(d.diags, hiding(errorAt(v.NameRange, "Text required", path+" must be a text.")))
			return v, level, ""
		}
		return v, level, val.AsString()
	}
	return nil, 0, ""
}

// resources of the step. winners tell where each was written.
func (d *decoder) resources(levels []*Body) (r Resources, winners map[string]winner) {
	winners = map[string]winner{}
	for _, name := range resourceNames() {
		if w := d.pick("resources."+name, each(levels, func(b *Body) *Value { return b.Resources[name] })); w.set() {
			winners[name] = w
		}
	}
	r.CPUMillis = d.measure("resources.cpu", winners["cpu"], ParseCPU)
	r.MemoryBytes = d.measure("resources.memory", winners["memory"], ParseSize)
	r.DiskBytes = d.measure("resources.disk", winners["disk"], ParseSize)
	r.SharedMemoryBytes = d.measure("resources.shared_memory", winners["shared_memory"], ParseSize)
	r.GPU = d.count("resources.gpu", winners["gpu"], 0)
	r.Nodes = d.count("resources.nodes", winners["nodes"], 1)
	d.gpuType(&r, winners)
	return r, winners
}

// gpuType makes the name canonical. A type without a count means one GPU; no
// GPU at a higher level takes the type of a lower one away.
func (d *decoder) gpuType(r *Resources, winners map[string]winner) {
	kind, count := winners["gpu_type"], winners["gpu"]
	if !kind.known() {
		return
	}
	written := d.text("resources.gpu_type", kind)
	name, known := GPUType(written)
	switch {
	case strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" || name == "" || len(name) > 63:
		d.fail(kind.Range, "Invalid gpu_type", fmt.Sprintf(`%s is no name of a GPU: write for example "t4", "a10g" or "a100-80gb".`, quote(written)))
		return
	case !known:
		hint := ""
		if s := diag.Suggest(name, GPUTypes()); s != "" {
			hint = fmt.Sprintf(" Did you mean %q?", s)
		}
		d.warn(kind.Range, "Unknown gpu_type", fmt.Sprintf("stephost has no GPU %q in its table and passes the name on as it is.%s", name, hint))
	}
	if count.known() && r.GPU == 0 {
		if count.level > kind.level {
			delete(winners, "gpu_type")
			delete(d.origins, "resources.gpu_type")
			return
		}
		d.fail(kind.Range, "Resources contradict each other", fmt.Sprintf("gpu_type is given, and gpu is 0 (%s).", d.shown(count.Range)))
		return
	}
	r.GPUType = name
	if !count.set() {
		r.GPU = 1
	}
}
