package project

import (
	"cmp"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// Value is one value that a person wrote: an expression, not yet its result.
type Value struct {
	// Name is the attribute's name.
	Name string
	// Origin names the level: "step train", "operator gpu", "defaults" or
	// "command line".
	Origin string
	// NameRange is where the name stands, Range where the value stands.
	NameRange, Range hcl.Range

	// Exactly one of expr, fixed and text is set.
	expr  hcl.Expression
	fixed cty.Value
	// text is a flag's text that only the flavor's schema can type.
	text *string
	// flag names it ("--set volume_size").
	flag string
	// key selects one element of the expression's value.
	key *string
	// in is where the expression is at home.
	in unit
}

// unit is the surroundings of an expression.
type unit struct {
	// dir is the directory that relative paths start at; absolute.
	dir string
	// names are the project's variables and locals; nil outside of a project.
	names *names
}

// names are what expressions of one project can refer to.
type names struct {
	variables map[string]*Variable
	locals    map[string]*Value
}

// Variable is one variable block of a project.
type Variable struct {
	Name        string
	Description string
	// Type is cty.DynamicPseudoType when none was written.
	Type      cty.Type
	Sensitive bool
	// Required tells that there is no default.
	Required bool
	Range    hcl.Range

	// chosen is the value by precedence: --var, --var-file, environment,
	// default. Nil when nobody gave one.
	chosen      *Value
	validations []variableRule
}

// variableRule is a validation block of a variable.
type variableRule struct {
	condition, message hcl.Expression
	in                 unit
}

// fixedValue is a value that needs no evaluation.
func fixedValue(name, origin string, val cty.Value, nameRange, valueRange hcl.Range) *Value {
	return &Value{Name: name, Origin: origin, fixed: val, NameRange: nameRange, Range: valueRange}
}

// attributeValue is an attribute of a block.
func attributeValue(a *hcl.Attribute, origin string, in unit) *Value {
	return &Value{Name: a.Name, Origin: origin, expr: a.Expr, NameRange: a.NameRange, Range: a.Expr.Range(), in: in}
}

// element is one element of a map-valued v.
func (v *Value) element(key string) *Value {
	e := *v
	e.Name, e.key = key, &key
	return &e
}

// sortByPlace puts values in the order in which they were written.
func sortByPlace(values []*Value) {
	slices.SortStableFunc(values, func(a, b *Value) int {
		return cmp.Compare(a.NameRange.Start.Byte, b.NameRange.Start.Byte)
	})
}
