package manifest

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"golang.org/x/mod/semver"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/schema"
)

const (
	// maxSettle: a job that stays unfindable for longer cannot be told from one
	// that was never made.
	maxSettle = time.Hour
	// maxKeeps: ten years stand for ever.
	maxKeeps = 10 * 365 * 24 * time.Hour
	// maxSummary is one line of a list.
	maxSummary = 160
	// maxAttributes bounds the work of every later evaluation.
	maxAttributes = 500
)

// Capabilities are the capabilities that this version of the contract knows.
func Capabilities() []string {
	return []string{"plan", "find", "logs", "cancel", "cleanup", "prepare", "preflight", "registry_auth", "read_output"}
}

var (
	envPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*\*?$`) })
	machine    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9_]+$`) })
)

func validFlavorName(s string) bool { return word(s, "_-", 40) }

// check looks at what was read as a whole.
func (p *parser) check(decl hcl.Range) {
	m := p.m
	at := func(name string) hcl.Range {
		if r, ok := p.ranges[name]; ok {
			return r
		}
		if block, _, nested := strings.Cut(name, "."); nested {
			if r, ok := p.ranges[block]; ok {
				return r
			}
		}
		return decl
	}
	if m.Version != "" && (!exactVersion(m.Version) || len(m.Version) > 60) {
		p.fail(at("version"), "Bad version", "A version is like \"1.2.3\" or \"1.2.3-beta.1\" (semver.org), at most 60 characters.")
	}
	if strings.ContainsAny(m.Summary, "\r\n") || len(m.Summary) > maxSummary {
		p.fail(at("summary"), "Summary too long", "It is one line of at most %d characters.", maxSummary)
	} else if r, given := p.ranges["summary"]; given && string(r.SliceBytes(p.data)) == `""` {
		p.fail(at("summary"), "Empty summary", "Say in one line what the flavor does.")
	}
	notEmpty := func(name string, n int) {
		// A list whose elements were all wrong was reported already.
		if r, given := p.ranges[name]; given && n == 0 && len(strings.Fields(string(r.SliceBytes(p.data)))) == 1 && !p.failedAt(r) {
			p.fail(at(name), "Empty list", "%q needs at least one element.", name)
		}
	}
	notEmpty("protocol", len(m.Protocol))
	notEmpty("environment", len(m.Environments))
	notEmpty("handles", len(m.Handles))
	word := func(what, value, name string, all ...string) {
		if value != "" && !slices.Contains(all, value) {
			p.fail(at(name), fmt.Sprintf("Unknown word %q", bounded(value)), "%s is one of %s.", what, strings.Join(all, ", "))
		}
	}
	p.words("environment", m.Environments, at("environment"), []string{"image", "directory", "none"}, false)
	p.words("capability", m.Capabilities, at("capabilities"), Capabilities(), true)
	word("secrets", m.Secrets, "secrets", "store", "visible", "none")
	word("outputs", m.Outputs, "outputs", "directory", "uri", "none")
	word("tls", m.TLS, "tls", "auto")
	if m.MachineArch != "" && (len(m.MachineArch) > 20 || !machine().MatchString(m.MachineArch)) {
		p.fail(at("machine_arch"), "Bad architecture", "Write it as Go and OCI do: amd64, arm64.")
	}
	for _, pattern := range m.PassEnv {
		switch {
		case pattern == "*":
			p.fail(at("pass_env"), "\"*\" passes everything", "Name the variables or their common beginning, for example \"AWS_*\". PATH, HOME, proxies and the like are always passed.")
		case !envPattern().MatchString(pattern):
			p.fail(at("pass_env"), fmt.Sprintf("Bad variable name %q", bounded(pattern)), "A name, with a \"*\" at its end at most.")
		}
	}
	p.checkSubmission(at)
	p.checkExec(at)
	if n := len(m.Schema.Attributes); n > maxAttributes {
		p.fail(decl, "Too many attributes", "There are %d; at most %d are allowed.", n, maxAttributes)
		return
	}
	p.checkKinds()
	for _, a := range m.Schema.Attributes {
		p.variables(a.AppliesWhen, false)
		for _, v := range a.Validations {
			p.variables(v.Condition, true)
			p.variables(v.ErrorMessage, true)
		}
	}
	for _, r := range m.Schema.Rules {
		p.variables(r.Condition, false)
		p.variables(r.ErrorMessage, false)
	}
	if !p.diags.HasErrors() {
		p.tryConditions()
		p.tryKinds()
	}
}

// words checks a list of words. Words that a later minor of the contract may
// add are warned about, unless they look like a slip.
func (p *parser) words(what string, words []string, r hcl.Range, all []string, mayGrow bool) {
	for i, w := range words {
		near := diag.Suggest(w, all)
		switch {
		case slices.Contains(words[:i], w):
			p.fail(r, "Twice the same "+what, "%q stands there already.", bounded(w))
		case slices.Contains(all, w):
		case mayGrow && near == "":
			p.warn(r, fmt.Sprintf("Unknown %s %q", what, bounded(w)), "This version of stephost does not know it and will not use it. Known are: "+strings.Join(all, ", ")+".")
		case near != "":
			p.fail(r, fmt.Sprintf("Unknown %s %q", what, bounded(w)), "Did you mean %q?", near)
		default:
			p.fail(r, fmt.Sprintf("Unknown %s %q", what, bounded(w)), "Known are: %s.", strings.Join(all, ", "))
		}
	}
}

// checkSubmission keeps out promises that the host could not act on.
func (p *parser) checkSubmission(at func(string) hcl.Range) {
	s := p.m.Submission
	switch s.Idempotency {
	case "key":
		if !slices.Contains([]string{"forever", "while_exists", "while_running"}, s.KeyLives) {
			p.fail(at("submission.key_lives"), "How long does a key live?", "With idempotency = \"key\", key_lives is one of forever, while_exists, while_running: a freed key must not be used to submit again.")
		}
	case "search", "none", "":
		if s.KeyLives != "" {
			p.fail(at("submission.key_lives"), "key_lives without a key", "It has a meaning with idempotency = \"key\" only.")
		}
		if s.Idempotency == "search" && !p.m.Can("find") {
			p.fail(at("submission.idempotency"), "Search without find", "idempotency = \"search\" needs the capability \"find\".")
		}
	default:
		p.fail(at("submission.idempotency"), fmt.Sprintf("Unknown word %q", bounded(s.Idempotency)), "idempotency is one of key, search, none.")
	}
}

// checkExec checks the placeholders of exec.command.
func (p *parser) checkExec(at func(string) hcl.Range) {
	if p.m.Exec == nil {
		return
	}
	place := false
	for i, arg := range p.m.Exec.Command {
		switch {
		case strings.Contains(arg, "{file}") || strings.Contains(arg, "{dir}"):
			place = true
		case strings.HasPrefix(arg, "{") && !strings.HasPrefix(arg, "{interpreter:"),
			strings.HasPrefix(arg, "{interpreter:") && (i > 0 || !strings.HasSuffix(arg, "}") || len(arg) < len("{interpreter:x}")):
			p.fail(at("exec"), fmt.Sprintf("Unknown placeholder %q", bounded(arg)), "There are {file}, {dir}, and as the first element {interpreter:NAME} or {interpreter:NAME>=VERSION}.")
		case i == 0 && arg == "":
			p.fail(at("exec"), "Empty command", "The first element names what is run.")
		}
	}
	if !place && len(p.m.Exec.Command) > 0 {
		p.fail(at("exec"), "The command does not name the flavor's file", "Write \"{file}\" (or \"{dir}/...\") where it stands.")
	}
}

// variables checks what a condition or message refers to.
func (p *parser) variables(expr hcl.Expression, withValue bool) {
	if expr == nil {
		return
	}
	for _, t := range expr.Variables() {
		root := t.RootName()
		if root == "value" {
			if !withValue {
				p.fail(t.SourceRange(), "No \"value\" here", "\"value\" is the attribute's value in its own validation. Elsewhere write config.NAME or settings.NAME.")
			}
			continue
		}
		words := []string{root}
		if len(t) > 1 {
			if step, ok := t[1].(hcl.TraverseAttr); ok {
				words = append(words, step.Name)
			} else {
				continue // config["x"]: evaluation tells
			}
		}
		if text := p.reference(words); text != "" {
			p.fail(t.SourceRange(), "Unknown reference", "%s", text)
		}
	}
	node, ok := expr.(hclsyntax.Node)
	if !ok {
		return
	}
	_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		f, ok := n.(*hclsyntax.FunctionCallExpr)
		if !ok {
			return nil
		}
		if p.functions == nil {
			p.functions = schema.Functions(schema.ModeValidate, nil, "")
		}
		switch _, exists := p.functions[f.Name]; {
		case f.Name == "env" || f.Name == "file" || f.Name == "secret":
			p.fail(f.Range(), f.Name+"() in a manifest", "Conditions depend on the values alone: the same everywhere.")
		case !exists:
			// Found here and not only when a value comes: the condition of an
			// attribute without a default is not tried.
			hint := ""
			if near := diag.Suggest(f.Name, slices.Sorted(maps.Keys(p.functions))); near != "" {
				hint = fmt.Sprintf(" Did you mean %q?", near)
			}
			p.fail(f.NameRange, "Unknown function", "There is no function %q.%s", bounded(f.Name), hint)
		}
		return nil
	})
}

// failedAt tells whether a place inside r was reported already.
func (p *parser) failedAt(r hcl.Range) bool {
	return slices.ContainsFunc(p.diags, func(d *hcl.Diagnostic) bool { return d.Subject != nil && r.Overlaps(*d.Subject) })
}

// reference tells what is wrong with config.x, settings.x, given.x,
// resources.x, environment.x; "" = nothing.
func (p *parser) reference(words []string) string {
	pick := func(all []string, name string) string {
		if slices.Contains(all, name) {
			return ""
		}
		if near := diag.Suggest(name, all); near != "" {
			return fmt.Sprintf("There is no %s.%s. Did you mean %s.%s?", words[0], bounded(name), words[0], near)
		}
		return fmt.Sprintf("There is no %s.%s.", words[0], bounded(name))
	}
	names := func(kinds ...schema.Kind) []string {
		var out []string
		for _, a := range p.m.Schema.Attributes {
			if slices.Contains(kinds, a.Kind) {
				out = append(out, a.Name)
			}
		}
		return out
	}
	if len(words) < 2 {
		switch words[0] {
		case "config", "settings", "given", "resources", "environment":
			return ""
		}
		if a := p.m.Schema.Lookup(words[0]); a != nil {
			return fmt.Sprintf("Write %s.%s.", plural(a.Kind), a.Name)
		}
		return fmt.Sprintf("%q is none of config, settings, given, resources, environment.", bounded(words[0]))
	}
	if len(words) > 2 && words[0] != "config" && words[0] != "settings" {
		return fmt.Sprintf("%s has no parts.", strings.Join(words[:2], "."))
	}
	switch words[0] {
	case "config":
		return pick(names(schema.Config), words[1])
	case "settings":
		return pick(names(schema.Setting), words[1])
	case "given":
		return pick(names(schema.Config, schema.Setting), words[1])
	case "resources":
		return pick(schema.ResourceNames(), words[1])
	case "environment":
		return pick(schema.EnvironmentNames(), words[1])
	case "setting":
		return "Write settings." + words[1] + "."
	}
	return fmt.Sprintf("%q is none of config, settings, given, resources, environment.", bounded(words[0]))
}

func plural(k schema.Kind) string {
	if k == schema.Setting {
		return "settings"
	}
	return "config"
}

// tryConditions evaluates all conditions on defaults, so that one that cannot
// work (a function with a wrong name, null compared with a number) is found by
// the author. That a required attribute is missing, or a rule does not hold
// without values, is no mistake; but a default must pass its own validation.
func (p *parser) tryConditions() {
	for _, stage := range []schema.Stage{schema.StageOperator, schema.StageStep} {
		_, diags := p.m.Schema.Evaluate(schema.Input{Stage: stage})
		for _, d := range diags {
			if d.Subject == nil || d.Subject.Filename != p.file || slices.ContainsFunc(p.diags, func(o *hcl.Diagnostic) bool {
				return o.Summary == d.Summary && o.Subject != nil && *o.Subject == *d.Subject
			}) {
				continue
			}
			p.diags = append(p.diags, d)
		}
	}
}

// exactVersion tells whether v is a full semantic version, without the "v" that
// Go puts before it. (golang.org/x/mod/semver compiles no patterns at program
// start, which every command would pay for.)
func exactVersion(v string) bool {
	with := "v" + v
	return semver.IsValid(with) && semver.Canonical(with)+semver.Build(with) == with
}
