package manifest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/schema"
)

// Kind is the one kind of flavor there is.
const Kind = "step_operator"

// parser is one call of Parse.
type parser struct {
	src   *diag.Sources
	file  string
	data  []byte
	m     *Manifest
	diags hcl.Diagnostics
	// ranges tell the later checks where attributes and blocks are.
	ranges map[string]hcl.Range
	// functions are those of conditions, made when one is called.
	functions map[string]function.Function
}

// Parse reads a manifest and checks it. file names it in diagnostics. The
// manifest is nil when there are errors.
func Parse(src *diag.Sources, file string, data []byte) (*Manifest, hcl.Diagnostics) {
	start := hcl.Range{Filename: file, Start: hcl.InitialPos, End: hcl.InitialPos}
	line, body := split(data)
	if len(body) > MaxManifest {
		return nil, hcl.Diagnostics{{Severity: hcl.DiagError, Subject: &start, Summary: "Manifest too large",
			Detail: fmt.Sprintf("It has %d bytes; at most %d are read.", len(body), MaxManifest)}}
	}
	if src == nil {
		src = &diag.Sources{}
	}
	p := &parser{src: src, file: file, data: data, ranges: map[string]hcl.Range{},
		m: &Manifest{File: file, Source: body, Digest: Digest(data), Schema: &schema.Schema{}}}
	if len(line) > 0 && !Stamped(data) {
		p.warn(start, "The header line is out of date",
			"The manifest was changed after it was stamped; inside a file it would not be found. Run `stephost flavor stamp` on it.")
	}
	f, diags := src.Parse(file, data)
	p.diags = append(p.diags, diags...)
	if !diags.HasErrors() {
		p.printable(f.Body)
		p.root(f.Body, start)
	}
	diags = src.Explain(p.diags)
	if diags.HasErrors() {
		return nil, diags
	}
	return p.m, diags
}

func (p *parser) fail(r hcl.Range, summary, format string, args ...any) {
	p.diags = append(p.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Subject: &r, Summary: summary, Detail: fmt.Sprintf(format, args...)})
}

func (p *parser) warn(r hcl.Range, summary, detail string) {
	p.diags = append(p.diags, &hcl.Diagnostic{Severity: hcl.DiagWarning, Subject: &r, Summary: summary, Detail: detail})
}

// content reads a block's body; what is not in the schema is an error, with
// the nearest name that is.
func (p *parser) content(body hcl.Body, s *hcl.BodySchema) *hcl.BodyContent {
	c, diags := body.Content(s)
	p.diags = append(p.diags, diags...)
	return c
}

func attrs(required string, optional ...string) []hcl.AttributeSchema {
	var out []hcl.AttributeSchema
	for _, name := range strings.Fields(required) {
		out = append(out, hcl.AttributeSchema{Name: name, Required: true})
	}
	for _, name := range optional {
		out = append(out, hcl.AttributeSchema{Name: name})
	}
	return out
}

func (p *parser) root(body hcl.Body, start hcl.Range) {
	c := p.content(body, &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "flavor", LabelNames: []string{"name"}}}})
	switch {
	case p.diags.HasErrors():
	case len(c.Blocks) == 0:
		p.fail(start, "No flavor block", "A manifest is one block: flavor \"name\" {\n  ...\n}")
	case len(c.Blocks) > 1:
		p.fail(c.Blocks[1].DefRange, "Two flavor blocks", "A manifest describes one flavor. Split the file.")
	}
	if len(c.Blocks) > 0 {
		p.flavor(c.Blocks[0])
	}
}

func flavorSchema() *hcl.BodySchema {
	return &hcl.BodySchema{
		Attributes: attrs("version protocol summary environment",
			"kind", "capabilities", "secrets", "outputs", "handles", "pass_env", "tls", "sdk", "machine_arch", "prerequisites", "permissions"),
		Blocks: []hcl.BlockHeaderSchema{
			{Type: "submission"}, {Type: "resources"}, {Type: "exec"}, {Type: "rule"}, {Type: "environment_kind", LabelNames: []string{"kind"}},
			{Type: "config", LabelNames: []string{"name"}}, {Type: "setting", LabelNames: []string{"name"}},
		},
	}
}

func (p *parser) flavor(b *hcl.Block) {
	m := p.m
	m.Name = b.Labels[0]
	if !validFlavorName(m.Name) {
		p.fail(b.LabelRanges[0], "Bad flavor name", "A name has 1 to 40 lower-case letters, digits, \"_\" and \"-\", and begins with a letter.")
	}
	c := p.content(b.Body, flavorSchema())
	for name, a := range c.Attributes {
		p.ranges[name] = a.Expr.Range()
	}
	get := func(name string) *hcl.Attribute { return c.Attributes[name] }
	m.Version = p.text(get("version"))
	m.Summary = p.text(get("summary"))
	m.TLS = p.text(get("tls"))
	m.SDK = p.text(get("sdk"))
	m.MachineArch = p.text(get("machine_arch"))
	m.Prerequisites = p.text(get("prerequisites"))
	m.Permissions = p.text(get("permissions"))
	m.Protocol = p.ints(get("protocol"))
	m.Environments = p.texts(get("environment"))
	m.Capabilities = p.texts(get("capabilities"))
	m.PassEnv = p.texts(get("pass_env"))
	m.Secrets, m.Outputs, m.Handles = "none", "none", []int{1}
	if a := get("secrets"); a != nil {
		m.Secrets = p.text(a)
	}
	if a := get("outputs"); a != nil {
		m.Outputs = p.text(a)
	}
	if a := get("handles"); a != nil {
		m.Handles = p.ints(a)
	}
	if a := get("kind"); a != nil {
		if kind := p.text(a); kind != Kind && kind != "" {
			p.fail(a.Expr.Range(), "Unknown kind", "The one kind is %q.", Kind)
		}
	}
	m.Submission.Idempotency = "none"
	p.blocks(c.Blocks)
	p.check(b.DefRange)
}

func (p *parser) blocks(blocks hcl.Blocks) {
	seen := map[string]bool{}
	for _, b := range blocks {
		switch b.Type {
		case "submission", "resources", "exec":
			if seen[b.Type] {
				p.fail(b.DefRange, "Two "+b.Type+" blocks", "There is one at most.")
				continue
			}
			seen[b.Type] = true
			p.ranges[b.Type] = b.DefRange
		}
		switch b.Type {
		case "submission":
			p.submission(b)
		case "resources":
			c := p.content(b.Body, &hcl.BodySchema{Attributes: attrs("honours")})
			p.m.Schema.Honours = p.texts(c.Attributes["honours"])
			p.known("resource", p.m.Schema.Honours, schema.ResourceNames(), c.Attributes["honours"])
		case "exec":
			c := p.content(b.Body, &hcl.BodySchema{Attributes: attrs("command")})
			p.m.Exec = &Exec{Command: p.texts(c.Attributes["command"])}
			if a := c.Attributes["command"]; a != nil && len(p.m.Exec.Command) == 0 {
				p.fail(a.Expr.Range(), "Empty command", "Write, for example, command = [\"{interpreter:python3>=3.10}\", \"{file}\"].")
			}
		case "environment_kind":
			p.environmentKind(b)
		case "config", "setting":
			p.attribute(b)
		}
	}
	// Rules after all attributes: their paths name them.
	for _, b := range blocks {
		if b.Type == "rule" {
			p.rule(b)
		}
	}
}

func (p *parser) submission(b *hcl.Block) {
	c := p.content(b.Body, &hcl.BodySchema{Attributes: attrs("idempotency", "key_lives", "settle", "keeps")})
	s := &p.m.Submission
	for name, a := range c.Attributes {
		p.ranges["submission."+name] = a.Expr.Range()
	}
	s.Idempotency = p.text(c.Attributes["idempotency"])
	s.KeyLives = p.text(c.Attributes["key_lives"])
	s.Settle = p.duration(c.Attributes["settle"], maxSettle)
	s.Keeps = p.duration(c.Attributes["keeps"], maxKeeps)
}

// known refuses words that are not in the list.
func (p *parser) known(what string, words, all []string, a *hcl.Attribute) {
	for i, w := range words {
		r := elementRange(a, i)
		switch {
		case slices.Contains(words[:i], w):
			p.fail(r, "Twice the same "+what, "%q stands there already.", w)
		case !slices.Contains(all, w):
			hint := "Known are: " + strings.Join(all, ", ") + "."
			if near := diag.Suggest(w, all); near != "" {
				hint = fmt.Sprintf("Did you mean %q? %s", near, hint)
			}
			p.fail(r, fmt.Sprintf("Unknown %s %q", what, w), "%s", hint)
		}
	}
}

// elementRange is the range of the i-th element of a list that is written out.
func elementRange(a *hcl.Attribute, i int) hcl.Range {
	if t, ok := a.Expr.(*hclsyntax.TupleConsExpr); ok && i < len(t.Exprs) {
		return t.Exprs[i].Range()
	}
	return a.Expr.Range()
}
