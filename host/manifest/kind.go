package manifest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/schema"
)

// EnvironmentKind says when a kind of environment applies. It depends on the
// operator's config alone: what an operator runs is known before there is a step.
type EnvironmentKind struct {
	// Name is one of the manifest's Environments.
	Name string
	// AppliesWhen is the condition, AppliesWhenText the same as it was written.
	AppliesWhen     hcl.Expression
	AppliesWhenText string
	declared        hcl.Range
}

// EnvironmentsFor are the kinds that apply to an operator's config, in order of
// preference. One whose condition cannot be told yet, or fails, is among them.
func (m *Manifest) EnvironmentsFor(config []schema.Given) []string {
	var out []string
	for _, name := range m.Environments {
		if k := m.kindOf(name); k != nil {
			if holds, known, _ := m.Schema.Holds(k.AppliesWhen, config); known && !holds {
				continue
			}
		}
		out = append(out, name)
	}
	return out
}

// KindCondition is when a kind applies, as it was written; "" = always.
func (m *Manifest) KindCondition(name string) string {
	if k := m.kindOf(name); k != nil {
		return oneLine(k.AppliesWhenText)
	}
	return ""
}

func (m *Manifest) kindOf(name string) *EnvironmentKind {
	if i := slices.IndexFunc(m.EnvironmentKinds, func(k EnvironmentKind) bool { return k.Name == name }); i >= 0 {
		return &m.EnvironmentKinds[i]
	}
	return nil
}

// environmentKind reads an environment_kind block.
func (p *parser) environmentKind(b *hcl.Block) {
	k := EnvironmentKind{Name: b.Labels[0], declared: b.DefRange}
	c := p.content(b.Body, &hcl.BodySchema{Attributes: attrs("applies_when")})
	if other := p.m.kindOf(k.Name); other != nil {
		p.fail(b.LabelRanges[0], fmt.Sprintf("%q stands there twice", bounded(k.Name)), "It is declared at line %d already.", other.declared.Start.Line)
		return
	}
	if !slices.Contains(p.m.Environments, k.Name) {
		hint := "environment lists: " + strings.Join(p.m.Environments, ", ") + "."
		if near := diag.Suggest(k.Name, p.m.Environments); near != "" {
			hint = fmt.Sprintf("Did you mean %q?", near)
		}
		p.fail(b.LabelRanges[0], fmt.Sprintf("Unknown environment %q", bounded(k.Name)), "%s", hint)
		return
	}
	x := c.Attributes["applies_when"]
	if x == nil {
		return // reported
	}
	k.AppliesWhen = x.Expr
	k.AppliesWhenText = strings.TrimSpace(string(x.Expr.Range().SliceBytes(p.data)))
	p.m.EnvironmentKinds = append(p.m.EnvironmentKinds, k)
}

// checkKinds checks what the conditions of kinds refer to.
func (p *parser) checkKinds() {
	for _, k := range p.m.EnvironmentKinds {
		before := len(p.diags)
		for _, t := range k.AppliesWhen.Variables() {
			if root := t.RootName(); root != "config" && root != "value" {
				p.fail(t.SourceRange(), "Not a config attribute", "Which environment applies depends on the operator's config alone: write config.NAME.")
			}
		}
		if len(p.diags) == before {
			p.variables(k.AppliesWhen, false)
		}
	}
}

// tryKinds evaluates the conditions of kinds on defaults.
func (p *parser) tryKinds() {
	for _, k := range p.m.EnvironmentKinds {
		if _, _, diags := p.m.Schema.Holds(k.AppliesWhen, nil); diags.HasErrors() {
			d := diags[0]
			r := k.AppliesWhen.Range()
			if d.Subject != nil {
				r = *d.Subject
			}
			p.fail(r, fmt.Sprintf("The condition of environment %q fails", k.Name), "%s: %s", d.Summary, d.Detail)
		}
	}
}
