package schema

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// hidden stands for what must not be shown.
const hidden = "(sensitive)"

// Literal is v as HCL on one line, for messages and documents. Marked values
// are "(sensitive)", unknown ones "(known at launch)".
func Literal(v cty.Value) string {
	var b strings.Builder
	writeLiteral(&b, v)
	return b.String()
}

func writeLiteral(b *strings.Builder, v cty.Value) {
	switch {
	case v == cty.NilVal:
		b.WriteString("null")
		return
	case v.IsMarked():
		b.WriteString(hidden)
		return
	case !v.IsKnown():
		b.WriteString("(known at launch)")
		return
	case v.IsNull():
		b.WriteString("null")
		return
	}
	ty := v.Type()
	switch {
	case ty == cty.String:
		b.WriteString(quote(v.AsString()))
	case ty == cty.Number:
		b.WriteString(NumberText(v.AsBigFloat()))
	case ty == cty.Bool:
		b.WriteString(strconv.FormatBool(v.True()))
	case ty.IsObjectType(), ty.IsMapType():
		if v.LengthInt() == 0 {
			b.WriteString("{}")
			return
		}
		b.WriteString("{ ")
		first := true
		for it := v.ElementIterator(); it.Next(); first = false {
			if !first {
				b.WriteString(", ")
			}
			k, e := it.Element()
			k, _ = k.Unmark()
			if name := k.AsString(); hclsyntax.ValidIdentifier(name) {
				b.WriteString(name)
			} else {
				b.WriteString(quote(name))
			}
			b.WriteString(" = ")
			writeLiteral(b, e)
		}
		b.WriteString(" }")
	case v.CanIterateElements():
		b.WriteByte('[')
		first := true
		for it := v.ElementIterator(); it.Next(); first = false {
			if !first {
				b.WriteString(", ")
			}
			_, e := it.Element()
			writeLiteral(b, e)
		}
		b.WriteByte(']')
	default:
		b.WriteString(ty.FriendlyName())
	}
}

// quote is s as an HCL string.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case (r == '$' || r == '%') && strings.HasPrefix(s[i+1:], "{"):
			b.WriteRune(r)
			b.WriteRune(r)
		case unicode.IsControl(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// NumberText is a number with all its digits, as JSON and HCL write it.
func NumberText(f *big.Float) string {
	if f.IsInt() && f.MantExp(nil) < maxNumberBits {
		i, _ := f.Int(nil)
		return i.String()
	}
	if e := f.MantExp(nil); e > -maxNumberBits && e < maxNumberBits {
		return f.Text('f', -1)
	}
	return f.Text('g', -1)
}

// maxNumberBits is the greatest binary exponent of a number that is written
// out; beyond it a few bytes of input would become a gigabyte of digits.
const maxNumberBits = 4096
