package project

import (
	"encoding/json"
	"regexp"

	"github.com/hashicorp/hcl/v2"

	"github.com/stephost/stephost/host/manifest"
)

// node is a JSON Schema; encoding/json writes maps in the order of their keys.
type node map[string]any

func text() node        { return node{"type": "string"} }
func texts() node       { return node{"type": "array", "items": text()} }
func textMap() node     { return node{"type": "object", "additionalProperties": text()} }
func number() node      { return node{"type": []string{"number", "string"}} } // a string is a template
func named(n node) node { return node{"type": "object", "additionalProperties": n} }

// JSONSchema describes a project file in HCL's JSON syntax as a JSON Schema
// (2020-12), with the attributes of the flavors. It is made from the grammar that
// Load uses, so that what it knows is what Load accepts; types that HCL converts,
// conditions and what depends on another block are left to validation.
func JSONSchema(flavors []*manifest.Manifest) ([]byte, error) {
	settings := []node{}
	choices := []node{}
	for _, m := range flavors {
		raw, err := manifest.JSONSchema(m)
		if err != nil {
			return nil, err
		}
		var of struct {
			Properties struct {
				Config   json.RawMessage `json:"config"`
				Settings json.RawMessage `json:"settings"`
			} `json:"properties"`
		}
		if err := json.Unmarshal(raw, &of); err != nil {
			return nil, err
		}
		settings = append(settings, node{"title": m.Name, "allOf": []any{of.Properties.Settings}})
		choices = append(choices, node{
			"if":   node{"properties": node{"flavor": node{"pattern": "^" + regexp.QuoteMeta(m.Name) + "(@|$)"}}, "required": []string{"flavor"}},
			"then": node{"properties": node{"config": of.Properties.Config, "settings": of.Properties.Settings}},
		})
	}
	operator := block(operatorSchema())
	if len(choices) > 0 {
		operator["allOf"] = choices
	}
	step := block(stepSchema())
	if len(settings) > 0 {
		step["properties"].(node)["settings"] = node{"anyOf": settings}
	}
	root := block(fileSchema())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "a project of stephost"
	root["description"] = "stephost.hcl in HCL's JSON syntax: stephost launch -f project.json"
	properties := root["properties"].(node)
	properties["operator"], properties["step"] = named(operator), named(step)
	out, err := json.MarshalIndent(root, "", "  ")
	return append(out, '\n'), err
}

// block is the schema of a block's body.
func block(s *hcl.BodySchema) node {
	properties, required := node{}, []string{}
	for _, a := range s.Attributes {
		properties[a.Name] = attributeType(a.Name)
		if a.Required {
			required = append(required, a.Name)
		}
	}
	for _, b := range s.Blocks {
		n := node{"type": "object"}
		if inner := blockSchema(b.Type); inner != nil {
			n = block(inner)
		}
		if b.Type == "source" { // may be repeated
			n = node{"anyOf": []node{n, {"type": "array", "items": n}}}
		}
		if len(b.LabelNames) > 0 {
			n = named(n)
		}
		properties[b.Type] = n
	}
	out := node{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

// blockSchema is the grammar inside of a block; nil where any name may stand.
func blockSchema(name string) *hcl.BodySchema {
	switch name {
	case "variable":
		return variableSchema()
	case "validation":
		return variableValidationSchema()
	case "project":
		return projectSchema()
	case "defaults":
		return defaultsSchema()
	case "environment":
		return environmentSchema()
	case "source":
		return sourceSchema()
	case "resources":
		return &hcl.BodySchema{Attributes: attributes(resourceNames()...)}
	case "timeouts":
		return &hcl.BodySchema{Attributes: attributes(timeoutNames()...)}
	case "retry":
		return &hcl.BodySchema{Attributes: attributes(retryNames()...)}
	}
	return nil
}

// attributeType is what an attribute of the grammar takes; {} where it may be of
// several types, or is an expression.
func attributeType(name string) node {
	switch name {
	case "command", "requirements", "exclude":
		return texts()
	case "env", "secrets", "labels":
		return textMap()
	case "cpu", "gpu", "nodes", "preempted", "capacity", "system", "user":
		return number()
	case "flavor", "operator", "pipeline", "pipeline_run", "path", "target", "image", "base_image", "requirements_file", "platform", "python",
		"dockerfile", "name", "gpu_type", "provisioning", "run", "cancel", "total", "log_drain", "description", "error_message":
		return text()
	}
	return node{}
}
