package schema

import "github.com/hashicorp/hcl/v2"

// Holds evaluates a condition on config attributes, as far as they are known:
// whether it holds, and whether that can be told yet. What is wrong with the
// values themselves is Evaluate's to say.
func (s *Schema) Holds(c hcl.Expression, config []Given) (holds, known bool, diags hcl.Diagnostics) {
	e := &evaluation{schema: s, in: Input{Stage: StageOperator},
		given: map[*Attribute][]Given{}, values: map[*Attribute]*Value{}, broken: map[*Attribute]bool{}, skipped: map[*Attribute]bool{}}
	e.collect(config, Config)
	for _, a := range s.Attributes {
		e.values[a] = e.value(a)
	}
	return condition(c, conditionContext(e.variables()))
}
