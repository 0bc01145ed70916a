package project

import (
	"context"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/manifest"
	"github.com/stephost/stephost/host/schema"
)

// subject is where "missing X" points: the step, else the operator.
func (d *decoder) subject(r ResolveRequest) hcl.Range {
	if r.Project != nil {
		if s := r.Project.Steps[r.Step]; s != nil {
			return s.Range
		}
	}
	return r.Operator.Range
}

// attributes judges config and settings by the flavor's schema and writes them
// as JSON.
func (d *decoder) attributes(r ResolveRequest, step *Step, out *Resolved, env environmentPart, resources map[string]winner) {
	out.SecretConfig, out.SecretSettings = map[string]string{}, map[string]string{}
	in := schema.Input{Stage: r.Stage, Subject: d.subject(r),
		Resources: d.resourceGivens(out.Resources, resources), Environment: d.environmentGivens(env)}
	templates := map[string]string{}
	in.Config = d.operatorGivens(r.Operator, r.Manifest, templates, &in.Settings)
	for _, s := range []*Step{step, r.Inline} {
		if s != nil && s.Body != nil {
			in.Settings = append(in.Settings, d.given(r.Manifest, s.Body.Settings, templates)...)
		}
	}
	if d.diags.HasErrors() {
		// What failed is unknown now, and need not be reported once more.
		in.Stage = schema.StageStep
	}
	result, diags := r.Manifest.Schema.Evaluate(in)
	d.diags = append(d.diags, diags...)
	if d.diags.HasErrors() || result == nil {
		return
	}
	d.deferred = append(d.deferred, result.Deferred...)
	d.attributeOrigins("config.", result.Config, r.Manifest)
	d.attributeOrigins("settings.", result.Settings, r.Manifest)
	out.Config = d.encode(r.Manifest, result.Config, schema.Config, templates, out.SecretConfig)
	out.Settings = d.encode(r.Manifest, result.Settings, schema.Setting, templates, out.SecretSettings)
}

// operatorGivens are the operator's config; its settings go to settings.
func (d *decoder) operatorGivens(o *Operator, m *manifest.Manifest, templates map[string]string, settings *[]schema.Given) []schema.Given {
	config, set := o.values()
	first := map[string]*Value{}
	for _, v := range config {
		if a := m.Schema.Lookup(v.Name); a != nil {
			first[a.Name] = v
		}
	}
	kept := set[:0:0]
	for _, v := range set {
		if a := m.Schema.Lookup(v.Name); a != nil && first[a.Name] != nil {
			d.fail(v.NameRange, "Written twice", fmt.Sprintf("%s stands in config {} (%s) and in settings {}; write it once.", a.Name, d.shown(first[a.Name].NameRange)))
			continue
		}
		kept = append(kept, v)
	}
	*settings = append(*settings, d.given(m, kept, templates)...)
	return d.given(m, config, templates)
}

// values are the operator's values; of one made by hand, its Givens.
func (o *Operator) values() (config, settings []*Value) {
	if o.config != nil || o.settings != nil {
		return o.config, o.settings
	}
	fixed := func(givens []schema.Given) []*Value {
		out := make([]*Value, len(givens))
		for i, g := range givens {
			out[i] = &Value{Name: g.Name, Origin: g.Origin, fixed: g.Value, NameRange: g.NameRange, Range: g.ValueRange}
			if g.Expr != nil {
				out[i].expr, out[i].fixed = g.Expr, cty.NilVal
			}
		}
		return out
	}
	return fixed(o.Config), fixed(o.Settings)
}

// given evaluates values for the schema. A sensitive attribute becomes a
// template too, and its value is marked.
func (d *decoder) given(m *manifest.Manifest, values []*Value, templates map[string]string) []schema.Given {
	out := make([]schema.Given, 0, len(values))
	for _, v := range values {
		a := m.Schema.Lookup(v.Name)
		if v = d.typed(a, v); v == nil {
			continue
		}
		if x, ok := v.expr.(hclsyntax.Node); ok {
			twice := keysTwice(v.Name, x, place)
			for _, t := range twice {
				if a != nil && a.Sensitive {
					hiding(t)
				}
			}
			d.diags = append(d.diags, twice...)
		}
		g := schema.Given{Name: v.Name, NameRange: v.NameRange, ValueRange: v.Range, Expr: v.expr, Origin: v.Origin}
		if a != nil && a.Sensitive {
			g.Value, g.Expr = d.sensitive(a, v, templates), nil
		} else {
			val, diags := d.e.value(v)
			d.diags = append(d.diags, diags...)
			g.Value = val
		}
		out = append(out, g)
	}
	return out
}

// sensitive keeps the template of a sensitive attribute and gives its value,
// marked, as far as it is known at this stage.
func (d *decoder) sensitive(a *schema.Attribute, v *Value, templates map[string]string) cty.Value {
	before := len(d.diags)
	ref, ok := d.reference(a.Name, v)
	unknown := cty.DynamicVal.Mark(schema.Sensitive)
	if d.diags[before:].HasErrors() {
		return unknown
	}
	if !ok {
		return cty.NullVal(cty.DynamicPseudoType)
	}
	t, err := template(ref)
	if err != nil {
		d.diags = append(d.diags, hiding(errorAt(v.NameRange, "Wrong type", a.Name+" cannot be kept as a reference.")))
		return unknown
	}
	templates[a.Name] = t
	if d.stage != schema.StageLaunch {
		return unknown
	}
	val, diags := d.e.value(v)
	d.diags = append(d.diags, diags...)
	if diags.HasErrors() {
		return unknown
	}
	val, _ = val.UnmarkDeep()
	return val.Mark(schema.Sensitive)
}

// encode writes the attributes of a kind; nil while a value is unknown.
func (d *decoder) encode(m *manifest.Manifest, vals map[string]schema.Value, kind schema.Kind, templates, secrets map[string]string) []byte {
	for _, name := range sortedKeys(vals) {
		v := vals[name]
		plain, _ := v.Value.UnmarkDeep()
		if v.Attribute.Sensitive {
			if t, ok := templates[name]; ok && v.Given {
				secrets[name] = t
			}
			if !plain.IsWhollyKnown() && d.stage != schema.StageLaunch {
				// Its place in the JSON is null in any case.
				v.Value = cty.NullVal(v.Attribute.Type.WithoutOptionalAttributesDeep())
				vals[name] = v
			}
			continue
		}
		if !plain.IsWhollyKnown() {
			d.postpone(kind.String() + "." + name)
			return nil
		}
	}
	json, found, err := m.Schema.EncodeJSON(vals, kind)
	if err != nil {
		d.diags = append(d.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Values cannot be encoded", Detail: err.Error() + "."})
		return nil
	}
	for name, val := range found {
		// A default of the manifest is no secret of anyone.
		if _, given := secrets[name]; !given && !vals[name].Given {
			secrets[name] = val
		}
	}
	return json
}

// attributeOrigins notes where attributes came from.
func (d *decoder) attributeOrigins(prefix string, vals map[string]schema.Value, m *manifest.Manifest) {
	for name, v := range vals {
		switch {
		case v.Given:
			d.origins[prefix+name] = v.Origin + " (" + d.shown(v.Range) + ")"
		case v.Value != cty.NilVal && !v.Value.IsNull():
			d.origins[prefix+name] = "flavor " + m.Name
		}
	}
}

// resourceGivens are the resources as rules see them: cpu in cores, sizes in
// bytes.
func (d *decoder) resourceGivens(r Resources, winners map[string]winner) map[string]schema.Given {
	numbers := map[string]cty.Value{
		"cpu":           cty.NumberIntVal(r.CPUMillis).Divide(cty.NumberIntVal(1000)),
		"memory":        cty.NumberIntVal(r.MemoryBytes),
		"gpu":           cty.NumberIntVal(r.GPU),
		"gpu_type":      cty.StringVal(r.GPUType),
		"nodes":         cty.NumberIntVal(r.Nodes),
		"disk":          cty.NumberIntVal(r.DiskBytes),
		"shared_memory": cty.NumberIntVal(r.SharedMemoryBytes),
	}
	out := map[string]schema.Given{}
	for name, w := range winners {
		val := numbers[name]
		if !w.known() {
			val = cty.UnknownVal(val.Type())
		}
		out[name] = schema.Given{Name: name, Value: val, NameRange: w.NameRange, ValueRange: w.Range, Expr: w.expr, Origin: w.Origin}
	}
	if w, ok := winners["gpu_type"]; ok && r.GPU > 0 {
		if _, counted := out["gpu"]; !counted {
			out["gpu"] = schema.Given{Name: "gpu", Value: numbers["gpu"], NameRange: w.NameRange, ValueRange: w.Range, Origin: w.Origin}
		}
	}
	return out
}

// environmentGivens is the environment as rules see it.
func (d *decoder) environmentGivens(p environmentPart) map[string]schema.Given {
	out := map[string]schema.Given{}
	for name, w := range p.winners {
		out[name] = schema.Given{Name: name, Value: w.val, NameRange: w.NameRange, ValueRange: w.Range, Expr: w.expr, Origin: w.Origin}
	}
	if p.sources >= 0 {
		paths := make([]cty.Value, 0, len(p.Sources))
		for _, s := range p.Sources {
			paths = append(paths, cty.StringVal(s.Written))
		}
		if len(paths) > 0 {
			out["source"] = schema.Given{Name: "source", Value: cty.ListVal(paths), NameRange: p.sourceRange, ValueRange: p.sourceRange}
		}
	}
	if p.Kind != "" {
		out["kind"] = schema.Given{Name: "kind", Value: cty.StringVal(p.Kind), Origin: schema.OriginFlavor}
	}
	return out
}

// OperatorRequest asks for an operator alone, as `operator register` and
// `validate` do.
type OperatorRequest struct {
	Operator *Operator
	Manifest *manifest.Manifest
	// Stage is StageOperator (nothing is resolved) or StageLaunch.
	Stage    schema.Stage
	Sources  *diag.Sources
	Resolver schema.Resolver
}

// ResolvedOperator is an operator without a step.
type ResolvedOperator struct {
	// Config is canonical JSON, nil when a value is known only at launch.
	Config []byte
	// SecretConfig holds reference templates of sensitive attributes.
	SecretConfig map[string]string
	// Environments are the kinds that its steps may have, the preferred one first.
	Environments []string
	// Values is what the schema made of it.
	Values *schema.Result
	// Origins as in Resolved.
	Origins  map[string]string
	Deferred []string
}

// ResolveOperator judges an operator against its flavor's manifest. The result
// is nil when there are errors.
func ResolveOperator(ctx context.Context, r OperatorRequest) (*ResolvedOperator, hcl.Diagnostics) {
	if r.Operator == nil || r.Manifest == nil {
		return nil, hcl.Diagnostics{missing("Flavor not registered", "An operator can be judged only by its flavor's manifest.", nil)}
	}
	d := newDecoder(ctx, r.Stage, r.Resolver, r.Sources, "")
	templates := map[string]string{}
	// Whatever is resolved: a step may still say what is missing.
	in := schema.Input{Stage: schema.StageOperator, Subject: r.Operator.Range}
	in.Config = d.operatorGivens(r.Operator, r.Manifest, templates, &in.Settings)
	if r.Operator.Defaults != nil {
		d.fitOperator(ResolveRequest{Operator: r.Operator, Manifest: r.Manifest})
		resources, written := d.resources([]*Body{r.Operator.Defaults})
		in.Resources = d.resourceGivens(resources, written)
	}
	result, diags := r.Manifest.Schema.Evaluate(in)
	d.diags = append(d.diags, diags...)
	if d.diags.HasErrors() || result == nil {
		return nil, d.diags
	}
	d.deferred = append(d.deferred, result.Deferred...)
	d.attributeOrigins("config.", result.Config, r.Manifest)
	d.attributeOrigins("settings.", result.Settings, r.Manifest)
	out := &ResolvedOperator{SecretConfig: map[string]string{}, Values: result, Origins: d.origins,
		Environments: d.kinds(ResolveRequest{Operator: r.Operator, Manifest: r.Manifest})}
	out.Config = d.encode(r.Manifest, result.Config, schema.Config, templates, out.SecretConfig)
	out.Deferred = d.deferred
	if d.diags.HasErrors() {
		return nil, d.diags
	}
	return out, d.diags
}
