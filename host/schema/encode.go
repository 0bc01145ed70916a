package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/zclconf/go-cty/cty"
)

// EncodeJSON writes the attributes of a kind as canonical JSON: sorted keys, no
// spaces, numbers with all their digits. Every attribute of the kind is
// present, null when it is not set. Values of sensitive attributes are null in
// the JSON and in secrets instead: a string as it is, any other type as JSON
// text; those that are not set are in neither. It fails on unknown values.
func (s *Schema) EncodeJSON(vals map[string]Value, kind Kind) (encoded []byte, secrets map[string]string, err error) {
	var names []string
	for _, a := range s.Attributes {
		if a.Kind == kind {
			names = append(names, a.Name)
		}
	}
	slices.Sort(names)
	secrets = map[string]string{}
	var b bytes.Buffer
	b.WriteByte('{')
	for i, name := range names {
		if i > 0 {
			b.WriteByte(',')
		}
		writeJSONString(&b, name)
		b.WriteByte(':')
		v := vals[name].Value
		if v == cty.NilVal {
			b.WriteString("null")
			continue
		}
		v, _ = v.UnmarkDeep()
		if !v.IsWhollyKnown() {
			return nil, nil, fmt.Errorf("the value of %s %q is not known", kind, name)
		}
		if a := s.Lookup(name); !a.Sensitive {
			if err := writeJSON(&b, v); err != nil {
				return nil, nil, fmt.Errorf("%s %q: %w", kind, name, err)
			}
			continue
		}
		b.WriteString("null")
		switch {
		case v.IsNull():
		case v.Type() == cty.String:
			secrets[name] = v.AsString()
		default:
			var text bytes.Buffer
			if err := writeJSON(&text, v); err != nil {
				return nil, nil, fmt.Errorf("%s %q cannot be written as JSON", kind, name)
			}
			secrets[name] = text.String()
		}
	}
	b.WriteByte('}')
	return b.Bytes(), secrets, nil
}

// JSON is an unmarked, known value as canonical JSON.
func JSON(v cty.Value) ([]byte, error) {
	var b bytes.Buffer
	err := writeJSON(&b, v)
	return b.Bytes(), err
}

func writeJSON(b *bytes.Buffer, v cty.Value) error {
	switch {
	case v == cty.NilVal || v.IsMarked() || !v.IsKnown():
		return fmt.Errorf("only plain, known values can be written as JSON")
	case v.IsNull():
		b.WriteString("null")
		return nil
	}
	ty := v.Type()
	switch {
	case ty == cty.String:
		writeJSONString(b, v.AsString())
	case ty == cty.Number:
		f := v.AsBigFloat()
		if f.IsInf() {
			return fmt.Errorf("infinity is no JSON number")
		}
		b.WriteString(NumberText(f))
	case ty == cty.Bool:
		if v.True() {
			b.WriteString("true")
		} else {
			b.WriteString("false")
		}
	case ty.IsObjectType(), ty.IsMapType():
		// Iteration is in the order of the keys' bytes for both.
		b.WriteByte('{')
		first := true
		for k, e := range members(v) {
			if !first {
				b.WriteByte(',')
			}
			first = false
			writeJSONString(b, k)
			b.WriteByte(':')
			if err := writeJSON(b, e); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	case ty.IsListType(), ty.IsSetType(), ty.IsTupleType():
		b.WriteByte('[')
		first := true
		for it := v.ElementIterator(); it.Next(); {
			if !first {
				b.WriteByte(',')
			}
			first = false
			_, e := it.Element()
			if err := writeJSON(b, e); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	default:
		return fmt.Errorf("%s has no JSON form", ty.FriendlyName())
	}
	return nil
}

// writeJSONString writes s without the escapes for HTML.
func writeJSONString(b *bytes.Buffer, s string) {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // strings cannot fail, nor can the buffer
	b.Truncate(b.Len() - 1)
}
