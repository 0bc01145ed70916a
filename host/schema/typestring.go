package schema

import (
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// TypeString is the type as the manifest writes it, on one line, with
// optional(...) and its defaults.
func (a *Attribute) TypeString() string {
	var b strings.Builder
	writeType(&b, a.Type, a.TypeDefaults)
	return b.String()
}

func writeType(b *strings.Builder, ty cty.Type, d *typeexpr.Defaults) {
	child := func(key string) *typeexpr.Defaults {
		if d == nil {
			return nil
		}
		return d.Children[key]
	}
	switch {
	case ty == cty.NilType:
		b.WriteString("any")
	case ty.IsListType(), ty.IsSetType(), ty.IsMapType():
		word := "list("
		if ty.IsSetType() {
			word = "set("
		} else if ty.IsMapType() {
			word = "map("
		}
		b.WriteString(word)
		writeType(b, ty.ElementType(), child(""))
		b.WriteByte(')')
	case ty.IsTupleType():
		b.WriteString("tuple([")
		for i, e := range ty.TupleElementTypes() {
			if i > 0 {
				b.WriteString(", ")
			}
			writeType(b, e, child(strconv.Itoa(i)))
		}
		b.WriteString("])")
	case ty.IsObjectType():
		b.WriteString("object({")
		for i, name := range attributeNames(ty) {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteByte(' ')
			if hclsyntax.ValidIdentifier(name) {
				b.WriteString(name)
			} else {
				b.WriteString(strconv.Quote(name))
			}
			b.WriteString(" = ")
			if ty.AttributeOptional(name) {
				b.WriteString("optional(")
				writeType(b, ty.AttributeType(name), child(name))
				if d != nil {
					if v, ok := d.DefaultValues[name]; ok && !v.IsNull() {
						b.WriteString(", " + Literal(v))
					}
				}
				b.WriteByte(')')
				continue
			}
			writeType(b, ty.AttributeType(name), child(name))
		}
		b.WriteString(" })")
	case ty.IsCapsuleType():
		b.WriteString("any")
	default:
		b.WriteString(typeexpr.TypeString(ty))
	}
}

func attributeNames(ty cty.Type) []string {
	names := make([]string, 0, len(ty.AttributeTypes()))
	for name := range ty.AttributeTypes() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
