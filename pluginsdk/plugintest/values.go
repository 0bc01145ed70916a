package plugintest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// values makes the message that the host would send: every attribute of the part
// present, defaults applied, sensitive ones apart.
func (m *manifest) values(setting bool, given map[string]any) (*operatorv1.Values, error) {
	part := "config"
	if setting {
		part = "setting"
	}
	out := map[string]json.RawMessage{}
	v := &operatorv1.Values{Secrets: map[string]*operatorv1.Secret{}}
	for _, a := range m.attributes {
		if a.setting != setting {
			continue
		}
		value := a.def
		if raw, ok := given[a.name]; ok {
			var err error
			if value, err = a.fromGo(raw); err != nil {
				return nil, fmt.Errorf("plugintest: %s %q: %w", part, a.name, err)
			}
		}
		if value == cty.NilVal {
			return nil, fmt.Errorf("plugintest: %s %q is required by the manifest: put it into Config", part, a.name)
		}
		text, err := encode(value)
		if err != nil {
			return nil, fmt.Errorf("plugintest: %s %q: %w", part, a.name, err)
		}
		out[a.name] = text
		if a.sensitive {
			out[a.name] = json.RawMessage("null")
			if !value.IsNull() {
				v.Secrets[a.name] = &operatorv1.Secret{Value: secretText(value, text)}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, ok := out[name]; !ok {
			return nil, fmt.Errorf("plugintest: the manifest has no %s %q", part, name)
		}
	}
	var err error
	v.Json, err = json.Marshal(out) // keys are sorted
	return v, err
}

func secretText(v cty.Value, text []byte) string {
	if v.Type() == cty.String {
		return v.AsString()
	}
	return string(text)
}

// fromGo converts a value as JSON would have it.
func (a *attribute) fromGo(raw any) (cty.Value, error) {
	text, err := json.Marshal(raw)
	if err != nil {
		return cty.NilVal, err
	}
	ty, err := ctyjson.ImpliedType(text)
	if err != nil {
		return cty.NilVal, err
	}
	v, err := ctyjson.Unmarshal(text, ty)
	if err != nil {
		return cty.NilVal, err
	}
	return a.convert(v)
}

func encode(v cty.Value) ([]byte, error) {
	if v.IsNull() {
		return []byte("null"), nil
	}
	return ctyjson.Marshal(v, v.Type())
}

// with returns a copy of v in which the JSON member name is text.
func with(v *operatorv1.Values, name, text string) *operatorv1.Values {
	members := map[string]json.RawMessage{}
	_ = json.Unmarshal(v.GetJson(), &members) // made by this package
	members[name] = json.RawMessage(text)
	encoded, _ := json.Marshal(members)
	secrets := maps.Clone(v.GetSecrets())
	delete(secrets, name)
	return &operatorv1.Values{Json: encoded, Secrets: secrets}
}

// wrongText is JSON of a type that a cannot have; "" where every type fits.
func (a *attribute) wrongText() string {
	switch ty := a.ty; {
	case ty == cty.DynamicPseudoType || a.sensitive:
		return ""
	case ty == cty.String:
		return `{"plugintest":[true]}`
	case ty == cty.Number, ty == cty.Bool:
		return `"plugintest"`
	default:
		return `7`
	}
}

// of returns the attributes of one part.
func (m *manifest) of(setting bool) []*attribute {
	var out []*attribute
	for _, a := range m.attributes {
		if a.setting == setting {
			out = append(out, a)
		}
	}
	return out
}
