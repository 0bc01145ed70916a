package manifest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/schema"
)

// Markdown is the flavor's page, from its manifest alone.
func Markdown(m *Manifest) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n\n%s\n\n", m.Name, m.Summary)
	facts(&b, m)
	table(&b, m, schema.Config, "Config", "Fixed on the operator: the `config` block, or a flag of `stephost operator register`.")
	table(&b, m, schema.Setting, "Settings", "A step may set these in its `settings` block; the operator's `config` block gives their defaults.")
	if len(m.Schema.Rules) > 0 {
		b.WriteString("## Rules\n\n")
		for _, r := range m.Schema.Rules {
			word := ""
			if r.Warning {
				word = " (a warning)"
			}
			text := "A condition over several values."
			if v, diags := diag.Evaluate(r.ErrorMessage, nil); !diags.HasErrors() && v.Type() == cty.String && v.IsKnown() && !v.IsNull() {
				text = v.AsString()
			}
			about := ""
			if len(r.Paths) > 0 {
				about = " (`" + strings.Join(r.Paths, "`, `") + "`)"
			}
			fmt.Fprintf(&b, "- %s%s%s\n", oneLine(text), about, word)
		}
		b.WriteByte('\n')
	}
	for _, part := range []struct{ title, text string }{
		{"Prerequisites", m.Prerequisites}, {"Permissions", m.Permissions},
	} {
		if text := strings.TrimSpace(part.text); text != "" {
			fmt.Fprintf(&b, "## %s\n\n%s\n\n", part.title, text)
		}
	}
	b.WriteString("## Example\n\n```hcl\n" + example(m) + "```\n")
	return b.Bytes()
}

func facts(b *bytes.Buffer, m *Manifest) {
	b.WriteString("| | |\n|---|---|\n")
	row := func(name, text string) { fmt.Fprintf(b, "| %s | %s |\n", name, text) }
	row("Version", m.Version)
	row("Environment", kinds(m))
	resources := "none can be asked for"
	if len(m.Schema.Honours) > 0 {
		resources = strings.Join(m.Schema.Honours, ", ")
	}
	row("Resources", resources)
	row("Secrets", map[string]string{
		"store":   "kept in the backend's secret store",
		"visible": "readable by whoever may look at the job; needs `allow_visible_secrets = true`",
		"none":    "not possible",
	}[m.Secrets])
	row("Outputs", map[string]string{
		"directory": "a directory (`STEPHOST_OUTPUT_DIR`)",
		"uri":       "an address (`STEPHOST_OUTPUT_URI`)",
		"none":      "none",
	}[m.Outputs])
	capabilities := "none beyond the basic ones"
	if len(m.Capabilities) > 0 {
		capabilities = strings.Join(m.Capabilities, ", ")
	}
	row("Capabilities", capabilities)
	row("Submission", submissionText(m.Submission))
	if len(m.PassEnv) > 0 {
		row("Environment variables passed to the plugin", "`"+strings.Join(m.PassEnv, "`, `")+"`")
	}
	b.WriteByte('\n')
}

// kinds are the environments, with what decides between them.
func kinds(m *Manifest) string {
	words := slices.Clone(m.Environments)
	for i, name := range words {
		if when := m.KindCondition(name); when != "" {
			words[i] += " when `" + cell(when) + "`"
		}
	}
	return strings.Join(words, ", ")
}

func submissionText(s Submission) string {
	text := map[string]string{
		"key":    "one job per key; a key lives " + strings.ReplaceAll(s.KeyLives, "_", " "),
		"search": "a job is found again by its key",
		"none":   "a job whose submission got lost cannot be found again",
		"":       "a job whose submission got lost cannot be found again",
	}[s.Idempotency]
	if s.Settle > 0 {
		text += "; a fresh job can be found after " + short(s.Settle) + " at most"
	}
	if s.Keeps > 0 {
		text += "; ended jobs stay findable for " + short(s.Keeps)
	}
	return text
}

// short is a duration without its zero parts: 168h, not 168h0m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

func table(b *bytes.Buffer, m *Manifest, kind schema.Kind, title, intro string) {
	var rows []*schema.Attribute
	for _, a := range m.Schema.Attributes {
		if a.Kind == kind {
			rows = append(rows, a)
		}
	}
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "## %s\n\n%s\n\n| Name | Type | Default | Description |\n|---|---|---|---|\n", title, intro)
	for _, a := range rows {
		value := "**required**"
		switch {
		case a.Required():
		case a.Default.IsNull():
			value = ""
		default:
			value = "`" + cell(schema.Literal(a.Default)) + "`"
		}
		fmt.Fprintf(b, "| `%s` | `%s` | %s | %s |\n", a.Name, cell(a.TypeString()), value, cell(describe(a)))
	}
	b.WriteByte('\n')
}

// describe is an attribute's description with its limits in words.
func describe(a *schema.Attribute) string {
	var parts []string
	if text := oneLine(a.Description); text != "" {
		parts = append(parts, text)
	}
	if len(a.OneOf) > 0 {
		words := make([]string, len(a.OneOf))
		for i, v := range a.OneOf {
			words[i] = "`" + schema.Literal(v) + "`"
		}
		parts = append(parts, "One of "+strings.Join(words, ", ")+".")
	}
	if a.Min != cty.NilVal {
		parts = append(parts, "At least "+schema.Literal(a.Min)+".")
	}
	if a.Max != cty.NilVal {
		parts = append(parts, "At most "+schema.Literal(a.Max)+".")
	}
	if a.AppliesWhen != nil {
		parts = append(parts, "Only when `"+oneLine(a.AppliesWhenText)+"`.")
	}
	if a.MergeKeys {
		parts = append(parts, "Maps of operator and step are merged.")
	}
	if a.Sensitive {
		parts = append(parts, "Sensitive: `env()`, `file()` or `secret()`.")
	}
	if len(a.Aliases) > 0 {
		parts = append(parts, "Also called `"+strings.Join(a.Aliases, "`, `")+"`.")
	}
	if a.Deprecated != "" {
		parts = append(parts, "**Deprecated**: "+oneLine(a.Deprecated))
	}
	return strings.Join(parts, " ")
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// cell keeps a text inside its table cell.
func cell(s string) string { return strings.ReplaceAll(oneLine(s), "|", `\|`) }

// example is an operator with what is required.
func example(m *Manifest) string {
	var b strings.Builder
	fmt.Fprintf(&b, "operator \"my-%s\" {\n  flavor = %q\n", m.Name, m.Name)
	var lines [][2]string
	width := 0
	for _, a := range m.Schema.Attributes {
		if !a.Required() || a.AppliesWhen != nil {
			continue
		}
		lines = append(lines, [2]string{a.Name, sample(a)})
		width = max(width, len(a.Name))
	}
	if len(lines) > 0 {
		b.WriteString("  config {\n")
		for _, l := range lines {
			fmt.Fprintf(&b, "    %-*s = %s\n", width, l[0], l[1])
		}
		b.WriteString("  }\n")
	}
	b.WriteString("}\n")
	return b.String()
}

func sample(a *schema.Attribute) string {
	switch {
	case a.Sensitive:
		return "env(\"" + strings.ToUpper(a.Name) + "\")"
	case len(a.OneOf) > 0 && a.Type.IsPrimitiveType():
		return schema.Literal(a.OneOf[0])
	case a.Type == cty.Number && a.Min != cty.NilVal:
		return schema.Literal(a.Min)
	case a.Type == cty.Number:
		return "1"
	case a.Type == cty.Bool:
		return "true"
	case a.Type.IsListType(), a.Type.IsSetType(), a.Type.IsTupleType():
		return "[]"
	case a.Type.IsMapType(), a.Type.IsObjectType():
		return "{}"
	}
	return "\"...\""
}
