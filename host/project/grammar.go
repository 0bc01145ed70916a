package project

import "github.com/hashicorp/hcl/v2"

// The grammar. Each function gives a fresh schema.

func fileSchema() *hcl.BodySchema {
	return &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
		{Type: "variable", LabelNames: []string{"name"}},
		{Type: "locals"},
		{Type: "project"},
		{Type: "defaults"},
		{Type: "operator", LabelNames: []string{"name"}},
		{Type: "step", LabelNames: []string{"name"}},
	}}
}

func projectSchema() *hcl.BodySchema {
	return &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "name", Required: true}}}
}

func variableSchema() *hcl.BodySchema {
	return &hcl.BodySchema{
		Attributes: attributes("type", "default", "description", "sensitive"),
		Blocks:     []hcl.BlockHeaderSchema{{Type: "validation"}},
	}
}

func variableValidationSchema() *hcl.BodySchema {
	return &hcl.BodySchema{Attributes: []hcl.AttributeSchema{
		{Name: "condition", Required: true}, {Name: "error_message", Required: true},
	}}
}

// withBody adds to a schema what steps, operators and defaults have in common.
func withBody(s *hcl.BodySchema) *hcl.BodySchema {
	s.Attributes = append(s.Attributes, attributes("env", "secrets", "labels", "allow_visible_secrets")...)
	s.Blocks = append(s.Blocks, hcl.BlockHeaderSchema{Type: "environment"}, hcl.BlockHeaderSchema{Type: "resources"},
		hcl.BlockHeaderSchema{Type: "timeouts"}, hcl.BlockHeaderSchema{Type: "retry"}, hcl.BlockHeaderSchema{Type: "settings"})
	return s
}

func defaultsSchema() *hcl.BodySchema { return withBody(&hcl.BodySchema{}) }

func operatorSchema() *hcl.BodySchema {
	return withBody(&hcl.BodySchema{
		Attributes: append(attributes("default"), hcl.AttributeSchema{Name: "flavor", Required: true}),
		Blocks:     []hcl.BlockHeaderSchema{{Type: "config"}},
	})
}

func stepSchema() *hcl.BodySchema {
	return withBody(&hcl.BodySchema{Attributes: attributes("pipeline", "pipeline_run", "operator", "command")})
}

func environmentSchema() *hcl.BodySchema {
	return &hcl.BodySchema{
		Attributes: attributes(environmentNames()...),
		Blocks:     []hcl.BlockHeaderSchema{{Type: "source"}},
	}
}

func sourceSchema() *hcl.BodySchema {
	return &hcl.BodySchema{Attributes: append(attributes("target", "exclude"), hcl.AttributeSchema{Name: "path", Required: true})}
}

func environmentNames() []string {
	return []string{"image", "base_image", "requirements", "requirements_file", "registry", "platform", "python",
		"dockerfile", "override", "allow_large"}
}

func resourceNames() []string {
	return []string{"cpu", "memory", "gpu", "gpu_type", "nodes", "disk", "shared_memory"}
}

func timeoutNames() []string {
	return []string{"provisioning", "run", "cancel", "total", "log_drain"}
}

func retryNames() []string { return []string{"preempted", "capacity", "system", "user"} }

func attributes(names ...string) []hcl.AttributeSchema {
	out := make([]hcl.AttributeSchema, len(names))
	for i, n := range names {
		out[i].Name = n
	}
	return out
}
