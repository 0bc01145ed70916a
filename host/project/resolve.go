package project

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/schema"
)

// fallbackName names a step that was given by flags without --step-name.
const fallbackName = "step"

// Resolve makes one step of its levels: command line > step > operator >
// defaults > flavor. Nothing runs but, at StageLaunch, the look-ups of env(),
// file() and secret() through the Resolver. All problems come at once; the
// result is nil when there are errors.
func Resolve(ctx context.Context, r ResolveRequest) (*Resolved, hcl.Diagnostics) {
	step, diags := stepOf(r)
	if diags.HasErrors() {
		return nil, diags
	}
	if r.Operator == nil {
		return nil, hcl.Diagnostics{missing("No operator", "A step needs an operator: write operator = \"NAME\" in the step, or give --operator NAME.", step)}
	}
	d := newDecoder(ctx, r.Stage, r.Resolver, r.Sources, dirOf(r.Project))
	levels, inline := levelsOf(r, step), r.Inline
	if inline == nil {
		inline = &Step{}
	}
	out := &Resolved{Name: step.Name, Project: r.Project.Name(), Operator: r.Operator.Name, Origins: d.origins}
	if inline.Name != "" {
		out.Name = inline.Name
	}
	if complaint := stepName("the name of the step", out.Name); complaint != "" {
		d.diags = append(d.diags, missing("Invalid name", complaint+".", step))
	}
	out.Pipeline = d.name("pipeline", []*Value{step.pipelineValue(), inline.pipelineValue()})
	out.PipelineRun = d.name("pipeline_run", []*Value{step.pipelineRunValue(), inline.pipelineRunValue()})
	out.Argv = d.command([]*Value{step.commandValue(), inline.commandValue()})
	if len(out.Argv) == 0 && !d.diags.HasErrors() {
		d.diags = append(d.diags, missing("No command", fmt.Sprintf(
			`Step %q has no command. Write command = ["python", "train.py"], or give it after "--".`, out.Name), step))
	}
	env := d.environment(levels)
	var resources map[string]winner
	out.Resources, resources = d.resources(levels)
	out.Timeouts, out.Retry = d.timeouts(levels), d.retry(levels)
	out.Env, out.Secrets = d.variables(levels)
	out.Labels = d.labels(levels)
	allow := d.pick("allow_visible_secrets", each(levels, func(b *Body) *Value { return b.AllowVisibleSecrets }))
	out.AllowVisibleSecrets = d.flag("allow_visible_secrets", allow)
	if d.checkManifest(r, step) {
		d.chooseKind(r, &env)
		d.visible(r, out, levels)
		d.attributes(r, step, out, env, resources)
	}
	out.Environment = env.Environment
	if d.diags.HasErrors() {
		return nil, d.diags
	}
	slices.Sort(d.deferred)
	out.Deferred = slices.Compact(d.deferred)
	return out, d.diags
}

// newDecoder is a decoder for a stage.
func newDecoder(ctx context.Context, stage schema.Stage, r schema.Resolver, sources *diag.Sources, dir string) *decoder {
	shadow := newEvaluator(schema.ModeValidate, nil, sources)
	d := &decoder{
		e: shadow, shadow: shadow, references: newEvaluator(schema.ModeReference, nil, sources),
		stage: stage, origins: map[string]string{}, shown: shownFrom(dir),
	}
	if stage == schema.StageLaunch {
		if r == nil {
			r = schema.OSResolver(ctx)
		}
		d.e = newEvaluator(schema.ModeResolve, Caching(r), sources)
	}
	return d
}

// checkManifest tells whether there is a manifest to judge by.
func (d *decoder) checkManifest(r ResolveRequest, step *Step) bool {
	if r.Manifest != nil {
		return true
	}
	if r.Stage == schema.StageLaunch {
		d.diags = append(d.diags, missing("Flavor not registered",
			fmt.Sprintf("The flavor %q of operator %q is not known here; `stephost flavor register` makes it known.", r.Operator.Flavor, r.Operator.Name), step))
	} else {
		d.deferred = append(d.deferred, fmt.Sprintf("settings and resources: flavor %q is not registered here", r.Operator.Flavor))
	}
	return false
}

// stepOf is the step of the project, or an empty one for flags alone.
func stepOf(r ResolveRequest) (*Step, hcl.Diagnostics) {
	if r.Step == "" {
		if r.Inline == nil {
			return nil, hcl.Diagnostics{missing("No step", "Name a step of the project, or give a command after \"--\".", nil)}
		}
		return &Step{Name: fallbackName, Body: newBody("flags"), Range: r.Inline.Range}, nil
	}
	var known []string
	if r.Project != nil {
		if s := r.Project.Steps[r.Step]; s != nil {
			return s, nil
		}
		known = r.Project.StepOrder
	}
	detail := "There is no project file here; stephost looks for stephost.hcl in this directory and its parents."
	if r.Project != nil && len(r.Project.Files) > 0 {
		detail = "The project has no steps."
	}
	if s := diag.Suggest(r.Step, known); s != "" {
		detail = fmt.Sprintf("Did you mean %q?", s)
	} else if len(known) > 0 {
		detail = "The project has: " + list(known) + "."
	}
	return nil, hcl.Diagnostics{missing("No such step", fmt.Sprintf("There is no step %q. %s", r.Step, detail), nil)}
}

// levelsOf are the bodies, lowest first.
func levelsOf(r ResolveRequest, step *Step) []*Body {
	var out []*Body
	add := func(b *Body) {
		if b != nil {
			out = append(out, b)
		}
	}
	if r.Project != nil {
		add(r.Project.Defaults)
	}
	add(r.Operator.Defaults)
	add(step.Body)
	if r.Inline != nil {
		add(r.Inline.Body)
	}
	return out
}

// missing is an error about something that is not there; it points at the
// step's header where there is one.
func missing(summary, detail string, step *Step) *hcl.Diagnostic {
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail}
	if step != nil && step.Range.Filename != "" {
		r := step.Range
		d.Subject = &r
	}
	return d
}

func dirOf(p *Project) string {
	if p == nil {
		return ""
	}
	return p.Dir
}

// shownFrom writes places short: files of the project's directory by their
// name, flags without a line.
func shownFrom(dir string) func(hcl.Range) string {
	return func(r hcl.Range) string {
		if strings.HasPrefix(r.Filename, "-") {
			return r.Filename
		}
		name := r.Filename
		if dir != "" && filepath.IsAbs(name) && filepath.Dir(name) == dir {
			name = filepath.Base(name)
		}
		return fmt.Sprintf("%s:%d", name, r.Start.Line)
	}
}

// The values of a step that was made by hand (not decoded) are fixed ones.

func (s *Step) commandValue() *Value {
	if s.command != nil || len(s.Command) == 0 {
		return s.command
	}
	args := make([]hclsyntax.Expression, len(s.Command))
	for i, arg := range s.Command {
		args[i] = newRawText(arg, s.Range)
	}
	return &Value{Name: "command", Origin: s.origin(), NameRange: s.Range, Range: s.Range,
		expr: &hclsyntax.TupleConsExpr{Exprs: args, SrcRange: s.Range, OpenRange: s.Range}}
}

func (s *Step) pipelineValue() *Value { return s.textValue("pipeline", s.pipeline, s.Pipeline) }
func (s *Step) pipelineRunValue() *Value {
	return s.textValue("pipeline_run", s.pipelineRun, s.PipelineRun)
}

func (s *Step) textValue(name string, v *Value, text string) *Value {
	if v != nil || text == "" {
		return v
	}
	return fixedValue(name, s.origin(), cty.StringVal(text), s.Range, s.Range)
}

func (s *Step) origin() string {
	if s.Body != nil {
		return s.Body.Origin
	}
	return "step " + s.Name
}
