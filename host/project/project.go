package project

import (
	"github.com/hashicorp/hcl/v2"

	"github.com/stephost/stephost/host/schema"
)

// Project is what the project files say. It is not changed after Load and is
// safe for concurrent use.
type Project struct {
	// Files are the files that were read, in their order.
	Files []string
	// Dir is the directory of the first file, or the working directory.
	Dir string
	// Defaults applies to every step; never nil.
	Defaults *Body
	// Operators and Steps by name.
	Operators map[string]*Operator
	Steps     map[string]*Step
	// OperatorOrder and StepOrder are the names in the order of the files.
	OperatorOrder, StepOrder []string
	// Variables by name, for listing and completion.
	Variables map[string]*Variable

	names *names
	name  string // see Name
}

// DefaultOperator is the operator with `default = true`, or nil. It works on
// a nil project.
func (p *Project) DefaultOperator() *Operator {
	if p == nil {
		return nil
	}
	for _, name := range p.OperatorOrder {
		if o := p.Operators[name]; o.DefaultOperator {
			return o
		}
	}
	return nil
}

// Operator is a named, configured instance of a flavor, from a project file or
// from the registry's store.
type Operator struct {
	Name string
	// Flavor is "name" or "name@version".
	Flavor string
	// Config is what stands in config {}: config attributes and defaults of
	// settings. Values that are due later (env() and its like) are unknown.
	Config []schema.Given
	// Settings is what stands in settings {}.
	Settings []schema.Given
	// Defaults are the step defaults that the operator carries; never nil.
	Defaults *Body
	// DefaultOperator says that steps without an operator use this one.
	DefaultOperator bool
	// Range is the block's header; File the file that holds it.
	Range hcl.Range
	File  string

	config, settings []*Value
}

// Step is a step as written, in a project file or on the command line.
type Step struct {
	Name                  string
	Pipeline, PipelineRun string
	// OperatorName is empty when the step leaves it to the default.
	OperatorName string
	// OperatorRange is where the operator is named; zero when it is not.
	OperatorRange hcl.Range
	// Command is the argv as far as it is known while validating; an element
	// that is due at launch reads LaunchTime.
	Command []string
	Body    *Body
	// Range is the block's header.
	Range hcl.Range

	command, pipeline, pipelineRun *Value
}

// LaunchTime stands, while validating, for a text that is known at launch.
const LaunchTime = "(known at launch)"

// Body is what a step, an operator and the defaults have in common. Maps are
// by attribute name.
type Body struct {
	// Origin names the level in messages: "step train", "operator gpu",
	// "defaults" or "command line".
	Origin string

	Environment map[string]*Value
	Sources     []*SourceBlock
	Resources   map[string]*Value
	Timeouts    map[string]*Value
	Retry       map[string]*Value
	// Settings of the flavor; not in defaults.
	Settings []*Value
	// Env, Secrets and Labels are maps that merge by key; nil when not written.
	Env, Secrets, Labels *Value
	// AllowVisibleSecrets is nil when not written.
	AllowVisibleSecrets *Value
}

// SourceBlock is one source {} of an environment.
type SourceBlock struct {
	Path, Target, Exclude *Value
	Range                 hcl.Range
}

func newBody(origin string) *Body {
	return &Body{
		Origin:      origin,
		Environment: map[string]*Value{},
		Resources:   map[string]*Value{},
		Timeouts:    map[string]*Value{},
		Retry:       map[string]*Value{},
	}
}
