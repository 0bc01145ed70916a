package manifest

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/schema"
)

// node is a JSON Schema; encoding/json writes maps in the order of their keys.
type node map[string]any

// JSONSchema describes an operator's config and a step's settings as a JSON
// Schema (2020-12) of {"config": {...}, "settings": {...}}. Conditions cannot be
// expressed; what it accepts may still be refused by validation.
func JSONSchema(m *Manifest) ([]byte, error) {
	config, required := properties(m, schema.Config)
	// Defaults of settings may stand in the operator's config, so that a
	// required setting may come from either: it is required of neither.
	settings, _ := properties(m, schema.Setting)
	maps.Copy(config, settings)
	root := node{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"title":       m.Name + " " + m.Version,
		"description": m.Summary,
		"type":        "object",
		"properties": node{
			"config":   object(config, required),
			"settings": object(settings, nil),
		},
		"additionalProperties": false,
	}
	out, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(out, '\n'), nil
}

func object(properties node, required []string) node {
	n := node{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		n["required"] = required
	}
	return n
}

func properties(m *Manifest, kind schema.Kind) (node, []string) {
	out := node{}
	var required []string
	for _, a := range m.Schema.Attributes {
		if a.Kind != kind {
			continue
		}
		out[a.Name] = attributeNode(a, "")
		for _, alias := range a.Aliases {
			out[alias] = attributeNode(a, a.Name)
		}
		// One with other names may be given under those.
		if a.Required() && a.AppliesWhen == nil && len(a.Aliases) == 0 {
			required = append(required, a.Name)
		}
	}
	return out, required
}

func attributeNode(a *schema.Attribute, aliasOf string) node {
	n := typeNode(a.Type, a.TypeDefaults)
	limits := n
	if items, ok := n["items"].(node); ok {
		limits = items
	}
	if len(a.OneOf) > 0 {
		var words []any
		for _, v := range a.OneOf {
			words = append(words, value(v))
		}
		limits["enum"] = words
	}
	if a.Min != cty.NilVal {
		limits["minimum"] = value(a.Min)
	}
	if a.Max != cty.NilVal {
		limits["maximum"] = value(a.Max)
	}
	if a.Description != "" {
		n["description"] = oneLine(a.Description)
	}
	if aliasOf != "" {
		n["description"] = "Another name of " + aliasOf + "."
	}
	if a.Deprecated != "" || aliasOf != "" {
		n["deprecated"] = true
	}
	if a.Sensitive {
		n["writeOnly"] = true
	}
	if !a.Required() && !a.Default.IsNull() {
		n["default"] = value(a.Default)
	}
	return n
}

func typeNode(ty cty.Type, d *typeexpr.Defaults) node {
	child := func(key string) *typeexpr.Defaults {
		if d == nil {
			return nil
		}
		return d.Children[key]
	}
	switch {
	case ty == cty.String:
		return node{"type": "string"}
	case ty == cty.Number:
		return node{"type": "number"}
	case ty == cty.Bool:
		return node{"type": "boolean"}
	case ty.IsListType():
		return node{"type": "array", "items": typeNode(ty.ElementType(), child(""))}
	case ty.IsSetType():
		return node{"type": "array", "uniqueItems": true, "items": typeNode(ty.ElementType(), child(""))}
	case ty.IsMapType():
		return node{"type": "object", "additionalProperties": typeNode(ty.ElementType(), child(""))}
	case ty.IsTupleType():
		items := []node{}
		for _, e := range ty.TupleElementTypes() {
			items = append(items, typeNode(e, nil))
		}
		return node{"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
	case ty.IsObjectType():
		props, required := node{}, []string{}
		for name, t := range ty.AttributeTypes() {
			p := typeNode(t, child(name))
			if d != nil {
				if v, ok := d.DefaultValues[name]; ok && !v.IsNull() {
					p["default"] = value(v)
				}
			}
			props[name] = p
			if !ty.AttributeOptional(name) {
				required = append(required, name)
			}
		}
		n := object(props, nil)
		if len(required) > 0 {
			slices.Sort(required)
			n["required"] = required
		}
		return n
	}
	return node{} // any
}

// value is a literal for encoding/json, with all its digits.
func value(v cty.Value) any {
	b, err := schema.JSON(v)
	if err != nil {
		return nil
	}
	return json.RawMessage(b)
}
