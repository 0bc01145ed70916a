package manifest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/schema"
)

func attributeSchema() *hcl.BodySchema {
	return &hcl.BodySchema{
		Attributes: attrs("type", "default", "description", "sensitive", "deprecated", "aliases", "one_of", "min", "max", "merge", "applies_when"),
		Blocks:     []hcl.BlockHeaderSchema{{Type: "validation"}},
	}
}

// attributeName tells whether s is a name for an attribute: a small letter, then
// small letters, digits and "_", at most 63 in all.
func attributeName(s string) bool { return word(s, "_", 63) }

// word tells whether s begins with a small letter and goes on with small
// letters, digits and bytes of more. (Patterns with a bounded repetition are
// slow to compile, and every command reads a manifest.)
func word(s, more string, most int) bool {
	if s == "" || len(s) > most || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && strings.IndexByte(more, c) < 0 {
			return false
		}
	}
	return true
}

// attribute reads a config or setting block.
func (p *parser) attribute(b *hcl.Block) {
	a := &schema.Attribute{Name: b.Labels[0], DeclRange: b.DefRange, Type: cty.DynamicPseudoType}
	if b.Type == "setting" {
		a.Kind = schema.Setting
	}
	c := p.content(b.Body, attributeSchema())
	get := func(name string) *hcl.Attribute { return c.Attributes[name] }
	p.name(a, a.Name, b.LabelRanges[0])
	a.Description = p.text(get("description"))
	a.Deprecated = p.text(get("deprecated"))
	if x := get("sensitive"); x != nil {
		a.Sensitive = p.boolean(x)
	}
	typed := false
	if x := get("type"); x != nil {
		ty, defaults, diags := typeexpr.TypeConstraintWithDefaults(x.Expr)
		for _, d := range diags {
			if s, ok := x.Expr.(*hclsyntax.TemplateExpr); ok {
				d.Detail = "Types are written without quotes, for example type = string."
				r := s.Range()
				d.Subject = &r
			}
			d.Expression, d.EvalContext = nil, nil
		}
		p.diags = append(p.diags, diags...)
		if typed = !diags.HasErrors(); typed {
			a.Type, a.TypeDefaults = ty, defaults
		}
	}
	for i, alias := range p.texts(get("aliases")) {
		p.name(a, alias, elementRange(get("aliases"), i))
		a.Aliases = append(a.Aliases, alias)
	}
	if typed {
		p.limits(a, get)
		p.defaultValue(a, get("default"))
	} else if x := get("default"); x != nil {
		a.Default = cty.NullVal(a.Type)
	}
	if x := get("merge"); x != nil {
		switch word := p.text(x); {
		case word == "keys" && (!typed || a.Type.IsMapType()):
			a.MergeKeys = true
		case word == "keys":
			p.fail(x.Expr.Range(), "Only maps are merged", "%q is of type %s.", a.Name, a.TypeString())
		case word != "replace" && word != "":
			p.fail(x.Expr.Range(), "Unknown way to merge", "\"keys\" merges maps by key; \"replace\" (the default) replaces the whole value.")
		}
	}
	if x := get("applies_when"); x != nil {
		a.AppliesWhen = x.Expr
		a.AppliesWhenText = strings.TrimSpace(string(x.Expr.Range().SliceBytes(p.data)))
	}
	for _, v := range c.Blocks {
		a.Validations = append(a.Validations, p.validation(v))
	}
	p.m.Schema.Attributes = append(p.m.Schema.Attributes, a)
}

// name checks a name or alias: its form, stephost's own words, doubles.
func (p *parser) name(a *schema.Attribute, name string, r hcl.Range) {
	switch {
	case !attributeName(name):
		p.fail(r, fmt.Sprintf("Bad name %q", bounded(name)), "A name has lower-case letters, digits and \"_\", and begins with a letter.")
		return
	case slices.Contains(ReservedNames(), name):
		p.fail(r, fmt.Sprintf("%q is reserved", name), "It is a word of stephost's own (a flag or a block), so that --%s could not reach it. Take a longer name.", name)
		return
	}
	if other := p.m.Schema.Lookup(name); other != nil || name == a.Name && slices.Contains(a.Aliases, name) {
		where := ""
		if other != nil {
			where = fmt.Sprintf(" at line %d", other.DeclRange.Start.Line)
		}
		p.fail(r, fmt.Sprintf("%q stands there twice", name), "Config attributes, settings and aliases share one name space; it is declared%s already.", where)
	}
}

func (p *parser) defaultValue(a *schema.Attribute, x *hcl.Attribute) {
	if x == nil {
		return // required
	}
	a.Default = cty.NullVal(a.Type.WithoutOptionalAttributesDeep())
	v, ok := p.literal(x)
	if !ok || v.IsNull() {
		return
	}
	if a.Sensitive && !empty(v) {
		p.fail(x.Expr.Range(), "A secret in the manifest", "%q is sensitive, so its default can only be null or empty.", a.Name)
		return
	}
	out, wrong := a.Check(v)
	for _, text := range wrong {
		p.fail(x.Expr.Range(), "Wrong default", "%s", text)
	}
	if len(wrong) == 0 {
		a.Default = out
	}
}

// limits reads one_of, min and max.
func (p *parser) limits(a *schema.Attribute, get func(string) *hcl.Attribute) {
	element := a.Type
	if element.IsListType() || element.IsSetType() {
		element = element.ElementType()
	}
	// Checked by the attribute without limits of its own.
	plain := &schema.Attribute{Name: a.Name, Type: element}
	if x := get("one_of"); x != nil {
		if v, ok := p.literal(x); ok {
			switch {
			case !element.IsPrimitiveType():
				p.fail(x.Expr.Range(), "No choice of objects", "one_of works for strings, numbers and bools, and for lists of them.")
			case v.IsNull() || !v.Type().IsTupleType() || v.LengthInt() == 0:
				p.fail(x.Expr.Range(), "A list is needed", "one_of is the list of all values: one_of = [\"a\", \"b\"].")
			default:
				i := 0
				for it := v.ElementIterator(); it.Next(); i++ {
					_, e := it.Element()
					out, wrong := plain.Check(e)
					if len(wrong) > 0 || out.IsNull() {
						p.fail(elementRange(x, i), "Wrong element", "The values of one_of are of the attribute's type, %s.", plain.TypeString())
						continue
					}
					a.OneOf = append(a.OneOf, out)
				}
			}
		}
	}
	bound := func(name string) cty.Value {
		x := get(name)
		if x == nil {
			return cty.NilVal
		}
		v, ok := p.literal(x)
		switch {
		case !ok:
			return cty.NilVal
		case element != cty.Number:
			p.fail(x.Expr.Range(), "Only numbers have bounds", "%q is of type %s; use a validation block.", a.Name, a.TypeString())
			return cty.NilVal
		}
		out, wrong := plain.Check(v)
		if len(wrong) > 0 || out.IsNull() {
			p.fail(x.Expr.Range(), "A number is needed", "Write %s = 1.", name)
			return cty.NilVal
		}
		return out
	}
	a.Min, a.Max = bound("min"), bound("max")
	if a.Min != cty.NilVal && a.Max != cty.NilVal && a.Min.GreaterThan(a.Max).True() {
		p.fail(get("min").Expr.Range(), "min is greater than max", "No number fits.")
	}
}

// severity reads "error" or "warning".
func (p *parser) severity(x *hcl.Attribute) (warning bool) {
	if x == nil {
		return false
	}
	switch word := p.text(x); word {
	case "warning":
		return true
	case "error", "":
	default:
		p.fail(x.Expr.Range(), "Unknown severity", "It is \"error\" or \"warning\".")
	}
	return false
}

func (p *parser) validation(b *hcl.Block) schema.Validation {
	c := p.content(b.Body, &hcl.BodySchema{Attributes: attrs("condition error_message", "severity")})
	v := schema.Validation{DeclRange: b.DefRange, Warning: p.severity(c.Attributes["severity"])}
	v.Condition, v.ErrorMessage = expression(c.Attributes["condition"], b), expression(c.Attributes["error_message"], b)
	return v
}

func (p *parser) rule(b *hcl.Block) {
	c := p.content(b.Body, &hcl.BodySchema{Attributes: attrs("condition error_message", "paths", "severity")})
	r := &schema.Rule{DeclRange: b.DefRange, Warning: p.severity(c.Attributes["severity"])}
	r.Condition, r.ErrorMessage = expression(c.Attributes["condition"], b), expression(c.Attributes["error_message"], b)
	x := c.Attributes["paths"]
	r.Paths = p.texts(x)
	for i, path := range r.Paths {
		if text := p.reference(strings.Split(path, ".")); text != "" {
			p.fail(elementRange(x, i), "Unknown path", "%s", text)
		}
	}
	p.m.Schema.Rules = append(p.m.Schema.Rules, r)
}

// expression is the attribute's expression, or true where it is missing (that
// was reported).
func expression(x *hcl.Attribute, b *hcl.Block) hcl.Expression {
	if x == nil {
		return hcl.StaticExpr(cty.True, b.DefRange)
	}
	return x.Expr
}

func bounded(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "..."
	}
	return s
}

func empty(v cty.Value) bool {
	if v.Type() == cty.String {
		return v.AsString() == ""
	}
	return v.CanIterateElements() && v.LengthInt() == 0
}
