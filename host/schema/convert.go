package schema

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/stephost/stephost/host/diag"
)

// MaxValue is the size of one attribute's value in bytes: all its strings and
// keys together. Backends take some hundred KiB at most.
const MaxValue = 1 << 20

// maxProblems bounds the problems of one value.
const maxProblems = 20

// mismatch is one thing that is wrong inside a value.
type mismatch struct {
	path cty.Path
	// onKey points at the key of the last step of the path, not at its value.
	onKey bool
	text  string
}

// checker finds, by hand, what cty's conversion would drop or report without a
// place.
type checker struct {
	found []mismatch
	size  int
}

func (c *checker) add(path cty.Path, onKey bool, format string, args ...any) {
	if len(c.found) < maxProblems {
		c.found = append(c.found, mismatch{path.Copy(), onKey, fmt.Sprintf(format, args...)})
	}
}

// Convert checks an unmarked value against the attribute's type and converts
// it, with the defaults of optional() filled in. The problems are empty exactly
// if the value is of use.
func (a *Attribute) convert(v cty.Value) (cty.Value, []mismatch) {
	var c checker
	c.check(v, a.Type, nil)
	if c.size > MaxValue && len(c.found) == 0 {
		c.add(nil, false, "The value is larger than %d bytes. Put it into a file of the step's source, or an object store.", MaxValue)
	}
	if len(c.found) > 0 {
		return null(a.Type), c.found
	}
	if a.TypeDefaults != nil {
		v = applyDefaults(a.TypeDefaults, v)
	}
	out, err := convert.Convert(v, a.Type)
	if err != nil {
		return null(a.Type), []mismatch{{text: capital(err.Error()) + "."}}
	}
	return out, nil
}

// applyDefaults keeps a value that the library cannot fill: the conversion
// after it then says what is wrong.
func applyDefaults(d *typeexpr.Defaults, v cty.Value) (out cty.Value) {
	defer func() {
		// Elements of different types in one list can make cty panic here.
		if recover() != nil {
			out = v
		}
	}()
	return d.Apply(v)
}

// null is the null of a type without its optional() notes.
func null(ty cty.Type) cty.Value { return cty.NullVal(ty.WithoutOptionalAttributesDeep()) }

func (c *checker) check(v cty.Value, ty cty.Type, path cty.Path) {
	if len(c.found) >= maxProblems || v.IsNull() {
		return
	}
	if !v.IsKnown() {
		if _, err := convert.Convert(v, ty); err != nil {
			c.add(path, false, "%s is needed.", needed(ty))
		}
		return
	}
	vt := v.Type()
	if vt.IsCapsuleType() {
		c.add(path, false, "%s is needed.", needed(ty))
		return
	}
	switch {
	case ty == cty.DynamicPseudoType:
		c.measure(v, path)
	case ty.IsPrimitiveType():
		c.primitive(v, ty, path)
	case ty.IsObjectType():
		if !vt.IsObjectType() && !vt.IsMapType() {
			c.wrong(vt, ty, path)
			return
		}
		c.object(v, ty, path)
	case ty.IsMapType():
		if !vt.IsObjectType() && !vt.IsMapType() {
			c.wrong(vt, ty, path)
			return
		}
		for key, e := range members(v) {
			c.size += len(key)
			c.check(e, ty.ElementType(), append(path, cty.GetAttrStep{Name: key}))
		}
	case ty.IsListType(), ty.IsSetType(), ty.IsTupleType():
		if !vt.IsListType() && !vt.IsSetType() && !vt.IsTupleType() {
			c.wrong(vt, ty, path)
			return
		}
		c.sequence(v, ty, path)
	}
}

func (c *checker) primitive(v cty.Value, ty cty.Type, path cty.Path) {
	vt := v.Type()
	if !vt.IsPrimitiveType() {
		c.wrong(vt, ty, path)
		return
	}
	c.measure(v, path)
	if ty == cty.Number && vt == cty.String && !diag.NumberFits(v.AsString()) {
		c.add(path, false, "The number is too large.")
		return
	}
	out, err := convert.Convert(v, ty)
	switch {
	case err != nil:
		c.wrong(vt, ty, path)
	case ty == cty.Number:
		c.number(out, path)
	}
}

func (c *checker) number(v cty.Value, path cty.Path) {
	f := v.AsBigFloat()
	if e := f.MantExp(nil); f.IsInf() || e > maxNumberBits || e < -maxNumberBits {
		c.add(path, false, "The number is too large.")
	}
}

// measure adds up the bytes of a value of any type.
func (c *checker) measure(v cty.Value, path cty.Path) {
	switch {
	case v.IsNull() || !v.IsKnown():
	case v.Type() == cty.String:
		c.size += len(v.AsString())
	case v.Type() == cty.Number:
		c.size += 8
		c.number(v, path)
	case v.CanIterateElements():
		for it := v.ElementIterator(); it.Next() && len(c.found) < maxProblems; {
			k, e := it.Element()
			if k.Type() == cty.String && k.IsKnown() {
				c.size += len(k.AsString())
			}
			c.measure(e, path)
		}
	}
}

func (c *checker) object(v cty.Value, ty cty.Type, path cty.Path) {
	known := attributeNames(ty)
	given := map[string]bool{}
	for key, e := range members(v) {
		given[key] = true
		c.size += len(key)
		at := append(path, cty.GetAttrStep{Name: key})
		if !ty.HasAttribute(key) {
			hint := " Known are: " + list(known) + "."
			if near := diag.Suggest(key, known); near != "" {
				hint = fmt.Sprintf(" Did you mean %q?", near)
			}
			if len(known) == 0 {
				hint = ""
			}
			c.add(at, true, "There is no attribute %q here.%s", bounded(key), hint)
			continue
		}
		c.check(e, ty.AttributeType(key), at)
	}
	var missing []string
	for _, name := range known {
		if !given[name] && !ty.AttributeOptional(name) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		c.add(path, false, "%s is missing.", list(missing))
	}
}

func (c *checker) sequence(v cty.Value, ty cty.Type, path cty.Path) {
	if !v.CanIterateElements() {
		return
	}
	if ty.IsTupleType() && v.LengthInt() != ty.Length() {
		c.add(path, false, "Exactly %d elements are needed, not %d.", ty.Length(), v.LengthInt())
		return
	}
	i := 0
	for it := v.ElementIterator(); it.Next(); i++ {
		_, e := it.Element()
		c.size++
		var et cty.Type
		if ty.IsTupleType() {
			et = ty.TupleElementType(i)
		} else {
			et = ty.ElementType()
		}
		c.check(e, et, append(path, cty.IndexStep{Key: cty.NumberIntVal(int64(i))}))
	}
}

// members are the keys and values of an object or map.
func members(v cty.Value) func(yield func(string, cty.Value) bool) {
	return func(yield func(string, cty.Value) bool) {
		if !v.CanIterateElements() {
			return
		}
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			if !yield(k.AsString(), e) {
				return
			}
		}
	}
}

func (c *checker) wrong(have, want cty.Type, path cty.Path) {
	hint := ""
	if (want.IsListType() || want.IsSetType()) && have == cty.String {
		hint = ` Write it in brackets: ["..."].`
	}
	c.add(path, false, "%s is needed, not %s.%s", needed(want), kindOf(have), hint)
}

// needed names a type as a sentence begins with it.
func needed(ty cty.Type) string {
	switch {
	case ty == cty.String:
		return "A string"
	case ty == cty.Number:
		return "A number"
	case ty == cty.Bool:
		return "true or false"
	case ty.IsListType(), ty.IsSetType():
		return "A list of " + plural(ty.ElementType())
	case ty.IsMapType():
		return "A map of " + plural(ty.ElementType())
	case ty.IsObjectType():
		return "An object ({ name = value })"
	case ty.IsTupleType():
		return "A list of " + strconv.Itoa(ty.Length()) + " elements"
	}
	return "A value"
}

func plural(ty cty.Type) string {
	switch {
	case ty == cty.String:
		return "strings"
	case ty == cty.Number:
		return "numbers"
	case ty == cty.Bool:
		return "true or false"
	case ty.IsObjectType():
		return "objects"
	case ty.IsMapType():
		return "maps"
	case ty.IsListType(), ty.IsSetType(), ty.IsTupleType():
		return "lists"
	}
	return "values"
}

func kindOf(ty cty.Type) string {
	switch {
	case ty == cty.String:
		return "a string"
	case ty == cty.Number:
		return "a number"
	case ty == cty.Bool:
		return "a bool"
	case ty.IsListType(), ty.IsSetType(), ty.IsTupleType():
		return "a list"
	}
	return "an object"
}

// list names at most ten things.
func list(names []string) string {
	const most = 10
	q := make([]string, 0, most)
	for _, n := range names[:min(most, len(names))] {
		q = append(q, strconv.Quote(n))
	}
	if len(names) > most {
		q = append(q, fmt.Sprintf("and %d more", len(names)-most))
	}
	return strings.Join(q, ", ")
}

// bounded cuts a name from input for a message.
func bounded(s string) string {
	const most = 100
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// PathString is a path below an attribute as HCL writes it: tolerations[0].key.
func pathString(name string, path cty.Path) string {
	var b strings.Builder
	b.WriteString(name)
	for _, step := range path {
		switch s := step.(type) {
		case cty.GetAttrStep:
			if strings.ContainsAny(s.Name, ". /\"[]\n") {
				b.WriteString("[" + strconv.Quote(bounded(s.Name)) + "]")
				continue
			}
			b.WriteString("." + bounded(s.Name))
		case cty.IndexStep:
			b.WriteString("[" + NumberText(s.Key.AsBigFloat()) + "]")
		}
	}
	return b.String()
}
