package pluginsdk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"time"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// tagKey is the struct tag that names an attribute.
const tagKey = "stephost"

var (
	durationType = reflect.TypeFor[time.Duration]()
	secretType   = reflect.TypeFor[Secret]()
	rawType      = reflect.TypeFor[json.RawMessage]()
	bigIntType   = reflect.TypeFor[big.Int]()
)

// decodeValues reads v into the struct that into points to. part is "config" or
// "settings", for the attribute paths of errors.
func decodeValues(v *operatorv1.Values, part string, into any) error {
	rv := reflect.ValueOf(into)
	if rv.Kind() != reflect.Pointer || rv.IsNil() || rv.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("pluginsdk: %s decodes into a pointer to a struct, not into %T", part, into)
	}
	raw := map[string]json.RawMessage{}
	if len(v.GetJson()) > 0 {
		if err := unmarshal(v.GetJson(), &raw); err != nil {
			return System(fmt.Errorf("%s is not a JSON object: %w", part, err))
		}
	}
	fields := taggedFields(rv.Elem().Type())
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		if _, ok := fields[name]; !ok {
			return disagree(part, name, rv.Elem().Type(), "the manifest has the attribute, the Go type has no field for it")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.GetSecrets())) {
		if _, ok := fields[name]; !ok {
			return disagree(part, name, rv.Elem().Type(), "the manifest has the attribute, the Go type has no field for it")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		field := rv.Elem().FieldByIndex(fields[name])
		path := []string{part, name}
		if secret, ok := v.GetSecrets()[name]; ok {
			if err := setSecret(field, secret.GetValue(), path); err != nil {
				return err
			}
			continue
		}
		text, ok := raw[name]
		if !ok {
			// A sensitive attribute that is not set may be in neither place.
			if holdsSecret(field.Type()) || len(v.GetJson()) == 0 {
				continue
			}
			return disagree(part, name, rv.Elem().Type(), "the Go type has the field, the manifest has no such attribute")
		}
		if err := decodeJSON(text, field, path); err != nil {
			return err
		}
	}
	return nil
}

func disagree(part, name string, t reflect.Type, how string) error {
	return &Error{Class: ClassSystem, Attribute: []string{part, name}, Summary: fmt.Sprintf(
		"the flavor's code and its manifest do not agree about %s %q (%s): %s", part, name, t, how)}
}

// taggedFields maps attribute names to field indexes, embedded structs included.
func taggedFields(t reflect.Type) map[string][]int {
	fields := map[string][]int{}
	for _, f := range reflect.VisibleFields(t) {
		if name, ok := f.Tag.Lookup(tagKey); ok && f.IsExported() && name != "" && name != "-" {
			fields[name] = f.Index
		}
	}
	return fields
}

// checkConfigType compares the tags of the struct behind c with the manifest,
// so that a slip shows at start and not at the first launch.
func checkConfigType(c any, m *manifest) error {
	t := reflect.TypeOf(c).Elem()
	if t.Kind() != reflect.Struct {
		return fmt.Errorf("pluginsdk: the config type %s must be a struct", t)
	}
	fields := taggedFields(t)
	for name, index := range fields {
		if !slices.Contains(m.config, name) {
			return disagree("config", name, t, "the Go type has the field, the manifest has no such attribute")
		}
		for i := 1; i < len(index); i++ {
			if t.FieldByIndex(index[:i]).Type.Kind() == reflect.Pointer {
				return fmt.Errorf("pluginsdk: %s embeds a pointer with the attribute %q: embed the struct itself", t, name)
			}
		}
	}
	for _, name := range m.config {
		if _, ok := fields[name]; !ok {
			return disagree("config", name, t, "the manifest has the attribute, the Go type has no field for it")
		}
	}
	return nil
}

func holdsSecret(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t == secretType
}

func setSecret(field reflect.Value, value string, path []string) error {
	for field.Kind() == reflect.Pointer {
		field.Set(reflect.New(field.Type().Elem()))
		field = field.Elem()
	}
	if field.Type() != secretType {
		return &Error{Class: ClassSystem, Attribute: path, Summary: fmt.Sprintf(
			"%s is sensitive: its field must have the type pluginsdk.Secret, not %s", strings.Join(path, "."), field.Type())}
	}
	field.Set(reflect.ValueOf(NewSecret(value)))
	return nil
}

// decodeJSON reads one JSON value into v. It does not use json.Unmarshal for
// scalars, because that reads large integers through float64 in some types and
// ignores unknown keys.
func decodeJSON(text json.RawMessage, v reflect.Value, path []string) error {
	text = bytes.TrimSpace(text)
	if string(text) == "null" {
		v.SetZero()
		return nil
	}
	wrong := func(want string) error {
		return &Error{Class: ClassConfig, Attribute: slices.Clone(path), Summary: fmt.Sprintf("%s must be %s", strings.Join(path, "."), want)}
	}
	switch v.Type() {
	case durationType:
		var s string
		if json.Unmarshal(text, &s) != nil {
			return wrong(`a duration such as "90s"`)
		}
		d, err := time.ParseDuration(s)
		if err != nil {
			return wrong(`a duration such as "90s"`)
		}
		v.SetInt(int64(d))
		return nil
	case secretType:
		var s string
		if json.Unmarshal(text, &s) != nil {
			return wrong("a string")
		}
		v.Set(reflect.ValueOf(NewSecret(s)))
		return nil
	case rawType:
		v.SetBytes(slices.Clone(text))
		return nil
	case bigIntType:
		i, ok := wholeNumber(text)
		if !ok {
			return wrong("a whole number")
		}
		v.Set(reflect.ValueOf(i).Elem())
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return decodeJSON(text, v.Elem(), path)
	case reflect.String:
		var s string
		if json.Unmarshal(text, &s) != nil {
			return wrong("a string")
		}
		v.SetString(s)
	case reflect.Bool:
		var b bool
		if json.Unmarshal(text, &b) != nil {
			return wrong("true or false")
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		i, ok := wholeNumber(text)
		if !ok {
			return wrong("a whole number")
		}
		if !i.IsInt64() || v.OverflowInt(i.Int64()) {
			return wrong("a smaller number: it does not fit into " + v.Type().String())
		}
		v.SetInt(i.Int64())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		i, ok := wholeNumber(text)
		if !ok {
			return wrong("a whole number")
		}
		if !i.IsUint64() || v.OverflowUint(i.Uint64()) {
			return wrong("a number of 0 or more that fits into " + v.Type().String())
		}
		v.SetUint(i.Uint64())
	case reflect.Float32, reflect.Float64:
		var f float64
		if json.Unmarshal(text, &f) != nil || math.IsInf(f, 0) || v.OverflowFloat(f) {
			return wrong("a number")
		}
		v.SetFloat(f)
	case reflect.Slice:
		return decodeSlice(text, v, path, wrong)
	case reflect.Map:
		return decodeMap(text, v, path, wrong)
	case reflect.Struct:
		return decodeStruct(text, v, path, wrong)
	case reflect.Interface:
		if v.NumMethod() != 0 {
			return fmt.Errorf("pluginsdk: cannot decode %s into %s", strings.Join(path, "."), v.Type())
		}
		var a any
		if err := unmarshal(text, &a); err != nil {
			return wrong("JSON")
		}
		v.Set(reflect.ValueOf(a))
	default:
		return fmt.Errorf("pluginsdk: cannot decode %s into %s", strings.Join(path, "."), v.Type())
	}
	return nil
}

func decodeSlice(text json.RawMessage, v reflect.Value, path []string, wrong func(string) error) error {
	var items []json.RawMessage
	if json.Unmarshal(text, &items) != nil {
		return wrong("a list")
	}
	out := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		if err := decodeJSON(item, out.Index(i), append(slices.Clone(path), fmt.Sprint(i))); err != nil {
			return err
		}
	}
	v.Set(out)
	return nil
}

func decodeMap(text json.RawMessage, v reflect.Value, path []string, wrong func(string) error) error {
	var items map[string]json.RawMessage
	if json.Unmarshal(text, &items) != nil {
		return wrong("a map")
	}
	if v.Type().Key().Kind() != reflect.String {
		return fmt.Errorf("pluginsdk: %s: the keys of a map are strings", strings.Join(path, "."))
	}
	out := reflect.MakeMapWithSize(v.Type(), len(items))
	for k, item := range items {
		e := reflect.New(v.Type().Elem()).Elem()
		if err := decodeJSON(item, e, append(slices.Clone(path), k)); err != nil {
			return err
		}
		out.SetMapIndex(reflect.ValueOf(k).Convert(v.Type().Key()), e)
	}
	v.Set(out)
	return nil
}

func decodeStruct(text json.RawMessage, v reflect.Value, path []string, wrong func(string) error) error {
	var items map[string]json.RawMessage
	if json.Unmarshal(text, &items) != nil {
		return wrong("an object")
	}
	fields := taggedFields(v.Type())
	for _, k := range slices.Sorted(maps.Keys(items)) {
		index, ok := fields[k]
		if !ok {
			return disagree(path[0], strings.Join(append(slices.Clone(path[1:]), k), "."), v.Type(),
				"the manifest has the attribute, the Go type has no field for it")
		}
		if err := decodeJSON(items[k], v.FieldByIndex(index), append(slices.Clone(path), k)); err != nil {
			return err
		}
	}
	return nil
}

// maxExponent bounds what wholeNumber expands: 1e999999999 is eleven bytes of
// JSON and a gigabyte of digits.
const maxExponent = 4096

// wholeNumber reads a JSON number exactly, also "1e3" and "2.0".
func wholeNumber(text []byte) (*big.Int, bool) {
	var n json.Number
	if len(text) == 0 || text[0] == '"' || json.Unmarshal(text, &n) != nil {
		return nil, false
	}
	s := n.String()
	if i, ok := new(big.Int).SetString(s, 10); ok {
		return i, true
	}
	if at := strings.IndexAny(s, "eE"); at >= 0 {
		e, ok := new(big.Int).SetString(strings.TrimPrefix(s[at+1:], "+"), 10)
		if !ok || e.CmpAbs(big.NewInt(maxExponent)) > 0 {
			return nil, false
		}
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok || !r.IsInt() {
		return nil, false
	}
	return r.Num(), true
}

// unmarshal decodes exactly one JSON value with numbers kept as text.
func unmarshal(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("data behind the JSON value")
	}
	return nil
}
