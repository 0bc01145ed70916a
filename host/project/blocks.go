package project

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/schema"
)

// The names below are judged byte by byte: a pattern with a bounded repetition
// costs more to compile than a whole project file to read.

// operatorName tells whether s is a name for an operator.
func operatorName(s string) bool { return word(s, "", "_-") }

// flavorRef tells whether s is "name" or "name@version".
func flavorRef(s string) bool {
	name, version, versioned := strings.Cut(s, "@")
	return word(name, "", "_-") && (!versioned || word(version, upperCase, ".+_-"+upperCase))
}

const upperCase = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// word tells whether s has 1 to 63 small letters, digits or bytes of first (at
// its beginning) and rest (behind it).
func word(s, first, rest string) bool {
	const most = 63
	if s == "" || len(s) > most {
		return false
	}
	for i := range len(s) {
		more := rest
		if i == 0 {
			more = first
		}
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && strings.IndexByte(more, c) < 0 {
			return false
		}
	}
	return true
}

// maxName is the length of a step's or pipeline's name in bytes; backends hash
// or cut longer ones anyway.
const maxName = 256

func (l *loader) decodeDefaults(b *hcl.Block, in unit, d *decoder) {
	if l.defaultsRange != nil {
		l.fail(b.DefRange, "Declared twice", fmt.Sprintf("A project has one defaults block; the first is at %s.", place(*l.defaultsRange)))
		return
	}
	r := b.DefRange
	l.defaultsRange = &r
	content, diags := b.Body.Content(defaultsSchema())
	l.add(diags)
	l.project.Defaults = l.decodeBody(content, "defaults", in)
	if len(l.project.Defaults.Settings) > 0 {
		v := l.project.Defaults.Settings[0]
		l.fail(v.NameRange, "Settings belong to a flavor",
			"defaults {} is for every step, on whatever flavor. Write settings {} in the operator or in the step.")
	}
	d.check(l.project.Defaults)
}

func (l *loader) decodeOperator(b *hcl.Block, in unit, file string, d *decoder) {
	name := b.Labels[0]
	if !operatorName(name) {
		l.fail(b.LabelRanges[0], "Invalid name", fmt.Sprintf(
			"%s is no name of an operator: use lower-case letters, digits, - and _, at most 63, beginning with a letter or digit.", quote(name)))
		return
	}
	if first := l.project.Operators[name]; first != nil {
		l.twice(b.DefRange, "operator", name, first.Range)
		return
	}
	content, diags := b.Body.Content(operatorSchema())
	l.add(diags)
	origin := "operator " + name
	o := &Operator{Name: name, Range: b.DefRange, File: file, Defaults: l.decodeBody(content, origin, in)}
	l.project.Operators[name] = o
	l.project.OperatorOrder = append(l.project.OperatorOrder, name)
	o.settings, o.Defaults.Settings = o.Defaults.Settings, nil
	if a := content.Attributes["flavor"]; a != nil {
		w := d.pick("flavor", []*Value{attributeValue(a, origin, in)})
		o.Flavor = d.text("flavor", w)
		switch {
		case w.set() && !w.val.IsWhollyKnown() && !d.diags.HasErrors():
			l.fail(w.Range, "Flavor must be known", "The flavor decides what the rest means, so it cannot come from env() and its like.")
		case w.known() && o.Flavor != "" && !flavorRef(o.Flavor):
			l.fail(w.Range, "Invalid flavor", fmt.Sprintf(`%s is no flavor: write a name such as "sagemaker", or "sagemaker@0.1.0" to pin a version.`, quote(o.Flavor)))
		}
	}
	if a := content.Attributes["default"]; a != nil {
		o.DefaultOperator = d.flag("default", d.pick("default", []*Value{attributeValue(a, origin, in)}))
		for _, other := range l.project.OperatorOrder {
			if first := l.project.Operators[other]; o.DefaultOperator && first != o && first.DefaultOperator {
				l.fail(a.Range, "Two defaults", fmt.Sprintf("There is one default operator; %q at %s is it already.", other, place(first.Range)))
			}
		}
	}
	if c := l.single(content, "config"); c != nil {
		o.config = l.attributes(c, origin, in)
	}
	o.Config = d.givens(o.config)
	o.Settings = d.givens(o.settings)
	d.check(o.Defaults)
}

// givens are values for the schema, as known while loading.
func (d *decoder) givens(values []*Value) []schema.Given {
	out := make([]schema.Given, 0, len(values))
	for _, v := range values {
		val, diags := d.e.value(v)
		d.diags = append(d.diags, diags...)
		out = append(out, schema.Given{Name: v.Name, Value: val, NameRange: v.NameRange, ValueRange: v.Range, Expr: v.expr, Origin: v.Origin})
	}
	return out
}

func (l *loader) decodeStep(b *hcl.Block, in unit, d *decoder) {
	name := b.Labels[0]
	if complaint := stepName("the name of a step", name); complaint != "" {
		l.fail(b.LabelRanges[0], "Invalid name", complaint+".")
		return
	}
	if first := l.project.Steps[name]; first != nil {
		l.twice(b.DefRange, "step", name, first.Range)
		return
	}
	content, diags := b.Body.Content(stepSchema())
	l.add(diags)
	origin := "step " + name
	s := &Step{Name: name, Range: b.DefRange, Body: l.decodeBody(content, origin, in)}
	l.project.Steps[name] = s
	l.project.StepOrder = append(l.project.StepOrder, name)
	optional := func(name string) *Value {
		if a := content.Attributes[name]; a != nil {
			return attributeValue(a, origin, in)
		}
		return nil
	}
	s.command, s.pipeline, s.pipelineRun = optional("command"), optional("pipeline"), optional("pipeline_run")
	s.Pipeline = d.name("pipeline", []*Value{s.pipeline})
	s.PipelineRun = d.name("pipeline_run", []*Value{s.pipelineRun})
	s.Command = d.command([]*Value{s.command})
	if a := content.Attributes["operator"]; a != nil {
		s.OperatorName, s.OperatorRange = l.operatorOf(a, origin, in, d), a.Expr.Range()
	}
	d.check(s.Body)
}

// operatorOf is the name of a step's operator.
func (l *loader) operatorOf(a *hcl.Attribute, origin string, in unit, d *decoder) string {
	w := d.pick("operator", []*Value{attributeValue(a, origin, in)})
	if !w.set() {
		return ""
	}
	if ty := w.val.Type(); ty.IsTupleType() || ty.IsListType() {
		l.fail(w.Range, "A list of operators is not possible yet",
			`operator names one operator. Write operator = "NAME".`)
		return ""
	}
	if !w.val.IsWhollyKnown() {
		if w.val.Type() == cty.String {
			l.fail(w.Range, "Operator must be known", "The operator decides what the step's settings mean, so it cannot come from env() and its like; "+
				"use a variable and --var, or the flag --operator.")
		}
		return ""
	}
	name := d.text("operator", w)
	if name != "" && !operatorName(name) {
		l.fail(w.Range, "Invalid name", fmt.Sprintf("%s is no name of an operator.", quote(name)))
		return ""
	}
	return name
}

// stepName says what is wrong with a name that travels to backends.
func stepName(what, name string) string {
	if strings.TrimSpace(name) == "" {
		return what + " is empty"
	}
	return oneLine(what, name, maxName)
}

// decodeBody reads what steps, operators and defaults have in common.
func (l *loader) decodeBody(content *hcl.BodyContent, origin string, in unit) *Body {
	body := newBody(origin)
	optional := func(name string) *Value {
		if a := content.Attributes[name]; a != nil {
			return attributeValue(a, origin, in)
		}
		return nil
	}
	body.Env, body.Secrets, body.Labels = optional("env"), optional("secrets"), optional("labels")
	body.AllowVisibleSecrets = optional("allow_visible_secrets")
	if b := l.single(content, "environment"); b != nil {
		c, diags := b.Body.Content(environmentSchema())
		l.add(diags)
		body.Environment = values(c.Attributes, origin, in)
		for _, sb := range c.Blocks {
			body.Sources = append(body.Sources, l.decodeSource(sb, origin, in))
		}
	}
	for _, part := range []struct {
		block string
		names []string
		into  *map[string]*Value
	}{
		{"resources", resourceNames(), &body.Resources},
		{"timeouts", timeoutNames(), &body.Timeouts},
		{"retry", retryNames(), &body.Retry},
	} {
		if b := l.single(content, part.block); b != nil {
			c, diags := b.Body.Content(&hcl.BodySchema{Attributes: attributes(part.names...)})
			l.add(diags)
			*part.into = values(c.Attributes, origin, in)
		}
	}
	if b := l.single(content, "settings"); b != nil {
		body.Settings = l.attributes(b, origin, in)
	}
	return body
}

func (l *loader) decodeSource(b *hcl.Block, origin string, in unit) *SourceBlock {
	c, diags := b.Body.Content(sourceSchema())
	l.add(diags)
	vals := values(c.Attributes, origin, in)
	return &SourceBlock{Path: vals["path"], Target: vals["target"], Exclude: vals["exclude"], Range: b.DefRange}
}

// single is the only block of a type, or nil.
func (l *loader) single(content *hcl.BodyContent, name string) *hcl.Block {
	var first *hcl.Block
	for _, b := range content.Blocks {
		if b.Type != name {
			continue
		}
		if first != nil {
			l.fail(b.DefRange, "Written twice", fmt.Sprintf("There is one %s block here; the first is at %s.", name, place(first.DefRange)))
			continue
		}
		first = b
	}
	return first
}

// attributes are the free attributes of config {} and settings {}, in the
// order in which they were written.
func (l *loader) attributes(b *hcl.Block, origin string, in unit) []*Value {
	attrs, diags := b.Body.JustAttributes()
	l.add(diags)
	out := make([]*Value, 0, len(attrs))
	for _, name := range sortedKeys(attrs) {
		out = append(out, attributeValue(attrs[name], origin, in))
	}
	sortByPlace(out)
	return out
}

func values(attrs hcl.Attributes, origin string, in unit) map[string]*Value {
	out := make(map[string]*Value, len(attrs))
	for name, a := range attrs {
		out[name] = attributeValue(a, origin, in)
	}
	return out
}
