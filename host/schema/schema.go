package schema

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/zclconf/go-cty/cty"
)

// Mark is a mark on cty values.
type Mark string

// Sensitive marks secret values. A marked value is accepted in sensitive
// attributes only.
const Sensitive Mark = "sensitive"

// Kind tells where an attribute is set.
type Kind int

const (
	// Config is fixed on the operator.
	Config Kind = iota
	// Setting has its default on the operator and may be overridden by a step.
	Setting
)

// String is the word that manifests use for the kind.
func (k Kind) String() string {
	if k == Setting {
		return "setting"
	}
	return "config"
}

// Attribute is one config attribute or setting of a flavor.
type Attribute struct {
	Name string
	Kind Kind
	// Type is the type constraint, with optional object attributes.
	Type cty.Type
	// TypeDefaults are the defaults inside optional(type, default); may be nil.
	TypeDefaults *typeexpr.Defaults
	// Default is cty.NilVal for a required attribute and null for an optional
	// one without a default.
	Default     cty.Value
	Description string
	Sensitive   bool
	// Deprecated says what to use instead; "" = not deprecated.
	Deprecated string
	Aliases    []string
	// OneOf lists the only values (of a list or set: of its elements).
	OneOf []cty.Value
	// Min and Max bound a number (of a list or set: its elements), inclusive;
	// cty.NilVal = no bound.
	Min, Max cty.Value
	// MergeKeys merges maps by key over the levels of precedence; otherwise
	// the higher level replaces the whole value.
	MergeKeys bool
	// AppliesWhen is a condition on the other attributes; nil = always. Where
	// it is false, giving the attribute is an error, and its value is null.
	AppliesWhen hcl.Expression
	// AppliesWhenText is the condition as it was written, for messages.
	AppliesWhenText string
	Validations     []Validation
	DeclRange       hcl.Range
}

// Validation is a condition on one attribute's value. It is not evaluated for
// null.
type Validation struct {
	Condition    hcl.Expression
	ErrorMessage hcl.Expression
	// Warning makes a failure a warning (for tables of names that age).
	Warning bool
	// DeclRange is the block's header in the manifest.
	DeclRange hcl.Range
}

// Rule is a condition over several attributes.
type Rule struct {
	Condition    hcl.Expression
	ErrorMessage hcl.Expression
	// Paths are what the rule is about: "config.x", "settings.x",
	// "resources.x" or "environment.x". The first that was given is where the
	// error points.
	Paths   []string
	Warning bool
	// DeclRange is the block's header in the manifest.
	DeclRange hcl.Range
}

// Schema is all that a manifest says about values. It is not changed after it
// was read, and safe to share.
type Schema struct {
	// Attributes in the order in which they were written.
	Attributes []*Attribute
	Rules      []*Rule
	// Honours are the resources that the backend can give: see ResourceNames.
	Honours []string
}

// Required tells whether the attribute must be given.
func (a *Attribute) Required() bool { return a.Default == cty.NilVal }

// Stage is how much is known at an evaluation.
type Stage int

const (
	// StageOperator judges an operator: its config is complete, its settings
	// and a step's resources may come later.
	StageOperator Stage = iota
	// StageStep judges a step before anything is resolved: everything required
	// is there, values may be unknown.
	StageStep
	// StageLaunch judges what will be sent: everything is known.
	StageLaunch
)

// Given is a value that a person wrote.
type Given struct {
	// Name of the attribute, or an alias of it.
	Name string
	// Value may be unknown or marked. Null means: not set at this level.
	Value cty.Value
	// NameRange and ValueRange are where it was written.
	NameRange, ValueRange hcl.Range
	// Expr is the expression behind Value, or nil. With it, errors point into
	// nested values.
	Expr hcl.Expression
	// Origin names the level: "command line", "step train", "operator gpu",
	// "defaults".
	Origin string
}

// Input is what Evaluate judges. Lists are in order of precedence, lowest
// first: a later value of the same attribute replaces an earlier one.
type Input struct {
	Stage Stage
	// Subject is where "missing X" points.
	Subject hcl.Range
	// Config holds config attributes and, as an operator's config block may,
	// defaults of settings; these rank below all Settings.
	Config   []Given
	Settings []Given
	// Resources and Environment by the names of ResourceNames and
	// EnvironmentNames.
	Resources   map[string]Given
	Environment map[string]Given
}

// Value is the value of an attribute and where it came from.
type Value struct {
	Attribute *Attribute
	// Value is of the attribute's type; marked Sensitive when the attribute is
	// sensitive and it is set.
	Value cty.Value
	// Given tells that a person wrote it; else it is the default or null.
	Given bool
	// Origin is the level that gave it, or OriginFlavor.
	Origin string
	// Range is where it was written; of a default, the attribute's declaration.
	Range hcl.Range
}

// OriginFlavor is the origin of defaults.
const OriginFlavor = "flavor"

// Result is what Evaluate found.
type Result struct {
	// Config and Settings hold every attribute of the kind.
	Config, Settings map[string]Value
	// Deferred lists, for people, what can only be checked at launch.
	Deferred []string
}
