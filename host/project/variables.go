package project

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/schema"
)

// EnvPrefix begins the environment variables that give project variables.
const EnvPrefix = "STEPHOST_VAR_"

// decodeVariable reads a variable block.
func (l *loader) decodeVariable(b *hcl.Block, in unit) {
	name := b.Labels[0]
	if !hclsyntax.ValidIdentifier(name) {
		l.fail(b.LabelRanges[0], "Invalid name", fmt.Sprintf("%s is no variable name: use letters, digits, _ and -.", quote(name)))
		return
	}
	if first := l.names.variables[name]; first != nil {
		l.twice(b.DefRange, "variable", name, first.Range)
		return
	}
	content, diags := b.Body.Content(variableSchema())
	l.add(diags)
	v := &Variable{Name: name, Type: cty.DynamicPseudoType, Required: true, Range: b.DefRange}
	l.names.variables[name] = v
	if a := content.Attributes["type"]; a != nil {
		ty, d := typeexpr.TypeConstraint(a.Expr)
		l.add(d)
		if !d.HasErrors() {
			v.Type = ty
		}
	}
	v.Description = l.literal(content.Attributes["description"], cty.String, cty.StringVal("")).AsString()
	v.Sensitive = l.literal(content.Attributes["sensitive"], cty.Bool, cty.False).True()
	if a := content.Attributes["default"]; a != nil {
		v.Required = false
		v.chosen = attributeValue(a, "default of variable "+name, in)
		if len(a.Expr.Variables()) > 0 {
			l.fail(a.Expr.Range(), "Default must stand alone",
				"The default of a variable cannot use variables or locals. Make a local of it: locals { ... }.")
			v.chosen = nil
		}
	}
	for _, vb := range content.Blocks {
		c, d := vb.Body.Content(variableValidationSchema())
		l.add(d)
		if d.HasErrors() {
			continue
		}
		rule := variableRule{condition: c.Attributes["condition"].Expr, message: c.Attributes["error_message"].Expr, in: in}
		for _, expr := range []hcl.Expression{rule.condition, rule.message} {
			for _, t := range expr.Variables() {
				if n, _, ok := secondStep(t); t.RootName() == "var" && ok && n == name || t.RootName() == "value" {
					continue
				}
				l.fail(t.SourceRange(), "Only the variable itself", fmt.Sprintf("A validation of variable %q can use var.%s only.", name, name))
				rule.condition = nil
			}
		}
		if rule.condition != nil {
			v.validations = append(v.validations, rule)
		}
	}
}

// literal is the value of an attribute that must be known while reading.
func (l *loader) literal(a *hcl.Attribute, ty cty.Type, otherwise cty.Value) cty.Value {
	if a == nil {
		return otherwise
	}
	val, diags := diag.Evaluate(a.Expr, nil)
	l.add(diags)
	if diags.HasErrors() {
		return otherwise
	}
	val, err := convert.Convert(val, ty)
	if err != nil || val.IsNull() || !val.IsKnown() {
		l.fail(a.Expr.Range(), "Wrong type", fmt.Sprintf("%s must be %s.", a.Name, typeName(ty)))
		return otherwise
	}
	return val
}

// chooseVariables gives each variable its value: --var, else the last
// --var-file that has it, else the environment, else the default.
func (l *loader) chooseVariables(o LoadOptions) {
	for _, nv := range o.Environ {
		name, text, _ := strings.Cut(nv, "=")
		name, ok := strings.CutPrefix(name, EnvPrefix)
		v := l.names.variables[name]
		if !ok || v == nil {
			continue // other names may be meant for another project
		}
		flag := EnvPrefix + name
		if v.Sensitive {
			// The record keeps the name of the environment variable.
			v.chosen = callValue(name, "environment", "env", flag, l.pseudo(flag, "(hidden)"))
			continue
		}
		l.chooseText(v, text, flag, "environment variable "+flag)
	}
	for _, file := range o.VarFiles {
		l.readVarFile(file)
	}
	for _, name := range sortedKeys(o.Vars) {
		v := l.names.variables[name]
		if v == nil {
			hint := ""
			if s := diag.Suggest(name, sortedKeys(l.names.variables)); s != "" {
				hint = fmt.Sprintf(" Did you mean %q?", s)
			}
			l.fail(l.pseudo("--var", name), "No such variable", fmt.Sprintf("No project file declares the variable %q.%s", name, hint))
			continue
		}
		if v.Sensitive {
			l.diags = append(l.diags, hiding(errorAt(l.pseudo("--var "+name, "(hidden)"), "A secret on the command line", fmt.Sprintf(
				"Variable %q is sensitive, and command lines are seen by others and kept in the shell's history. "+
					"Set %s%s, or write %s = env(\"NAME\") in a file for --var-file.", name, EnvPrefix, name, name))))
			continue
		}
		l.chooseText(v, o.Vars[name], "--var "+name, "command line")
	}
	for _, name := range sortedKeys(l.names.variables) {
		v := l.names.variables[name]
		if v.chosen == nil && v.Required {
			l.fail(v.Range, "No value for a variable", fmt.Sprintf(
				"Variable %q has no default. Give --var %s=..., a --var-file with %s = ..., or set %s%s.", name, name, name, EnvPrefix, name))
		}
	}
}

func (l *loader) chooseText(v *Variable, text, flag, origin string) {
	ty := v.Type
	if ty == cty.DynamicPseudoType {
		ty = cty.String
	}
	val, diags := schema.ParseValue(&schema.Attribute{Name: v.Name, Type: ty}, text, l.sources, flag)
	l.add(diags)
	if diags.HasErrors() {
		val = cty.DynamicVal
	}
	r := wholeRange(flag, text)
	v.chosen = fixedValue(v.Name, origin, val, r, r)
}

// readVarFile reads `name = value` lines.
func (l *loader) readVarFile(name string) {
	src, dir, ok := l.read(name)
	if !ok {
		return
	}
	file, diags := l.sources.Parse(l.display(name), src)
	l.add(diags)
	attrs, diags := file.Body.JustAttributes()
	l.add(diags)
	for _, n := range sortedKeys(attrs) {
		a := attrs[n]
		v := l.names.variables[n]
		if v == nil {
			hint := ""
			if s := diag.Suggest(n, sortedKeys(l.names.variables)); s != "" {
				hint = fmt.Sprintf(" Did you mean %q?", s)
			}
			l.fail(a.NameRange, "No such variable", fmt.Sprintf("No project file declares the variable %q.%s", n, hint))
			continue
		}
		if len(a.Expr.Variables()) > 0 {
			l.fail(a.Expr.Range(), "Value must stand alone", "A value in a variable file cannot use variables or locals.")
			continue
		}
		v.chosen = attributeValue(a, "variable file", unit{dir: dir})
	}
}

// variable is the value of a variable: chosen, converted, checked.
func (e *evaluator) variable(v *Variable) (cty.Value, hcl.Diagnostics) {
	if v.chosen == nil {
		return cty.DynamicVal, nil
	}
	val, diags := e.value(v.chosen)
	if diags.HasErrors() {
		return cty.DynamicVal, diags
	}
	out, err := convert.Convert(val, v.Type)
	if err != nil {
		r := v.chosen.Range
		d := errorAt(r, "Wrong type", fmt.Sprintf("Variable %q must be %s: %s.", v.Name, typeexpr.TypeString(v.Type), err))
		if v.Sensitive {
			d = hiding(errorAt(r, "Wrong type", fmt.Sprintf("Variable %q must be %s.", v.Name, typeexpr.TypeString(v.Type))))
		}
		return cty.DynamicVal, append(diags, d)
	}
	if v.Sensitive {
		out = out.Mark(schema.Sensitive)
	}
	return out, append(diags, e.validate(v, out)...)
}

// validate evaluates the validations of a variable as far as they are known.
func (e *evaluator) validate(v *Variable, val cty.Value) hcl.Diagnostics {
	if e.mode == schema.ModeReference {
		return nil // a placeholder is no value to judge
	}
	var diags hcl.Diagnostics
	vars := map[string]cty.Value{"var": cty.ObjectVal(map[string]cty.Value{v.Name: val}), "value": val}
	for _, rule := range v.validations {
		cond, d := e.expressionWith(rule.condition, rule.in, vars)
		diags = append(diags, d...)
		if d.HasErrors() {
			continue
		}
		cond, _ = cond.Unmark()
		if !cond.IsKnown() {
			continue
		}
		cond, err := convert.Convert(cond, cty.Bool)
		if err != nil || cond.IsNull() {
			diags = append(diags, errorAt(rule.condition.Range(), "Invalid condition", "A condition must be true or false."))
			continue
		}
		if cond.True() {
			continue
		}
		text := "(sensitive)"
		if msg, d := e.expressionWith(rule.message, rule.in, vars); !d.HasErrors() && !msg.ContainsMarked() &&
			msg.Type() == cty.String && msg.IsKnown() && !msg.IsNull() {
			text = msg.AsString()
		}
		bad := errorAt(v.chosen.Range, "Invalid value", fmt.Sprintf("Variable %q: %s", v.Name, text))
		if v.Sensitive {
			bad = hiding(bad)
		}
		diags = append(diags, bad)
	}
	return diags
}

// callValue is the value of a call such as env("NAME"), made by stephost for
// a flag.
func callValue(name, origin, function, arg string, r hcl.Range) *Value {
	return &Value{Name: name, Origin: origin, expr: call(function, arg, r), NameRange: r, Range: r}
}

func call(function, arg string, r hcl.Range) hclsyntax.Expression {
	return &hclsyntax.FunctionCallExpr{
		Name:            function,
		Args:            []hclsyntax.Expression{&hclsyntax.LiteralValueExpr{Val: cty.StringVal(arg), SrcRange: r}},
		NameRange:       r,
		OpenParenRange:  r,
		CloseParenRange: r,
	}
}
