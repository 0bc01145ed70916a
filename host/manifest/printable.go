package manifest

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// printable refuses what would change a terminal or the order of a line when a text
// of the manifest is shown: lists, pages and errors show what a stranger wrote. The
// texts of conditions are only compared.
func (p *parser) printable(body hcl.Body) {
	root, ok := body.(*hclsyntax.Body)
	if !ok || !suspicious(p.data) {
		return
	}
	var walk func(*hclsyntax.Body)
	walk = func(b *hclsyntax.Body) {
		for _, a := range b.Attributes {
			if a.Name != "condition" {
				p.printableIn(a.Expr)
			}
		}
		for _, inner := range b.Blocks {
			for i, label := range inner.Labels {
				p.printableText(label, inner.LabelRanges[i])
			}
			walk(inner.Body)
		}
	}
	walk(root)
}

func (p *parser) printableIn(x hclsyntax.Expression) {
	_ = hclsyntax.VisitAll(x, func(n hclsyntax.Node) hcl.Diagnostics {
		if lit, ok := n.(*hclsyntax.LiteralValueExpr); ok && lit.Val.Type() == cty.String && !lit.Val.IsNull() {
			p.printableText(lit.Val.AsString(), lit.SrcRange)
		}
		return nil
	})
}

func (p *parser) printableText(text string, r hcl.Range) {
	text = strings.ReplaceAll(text, "\r\n", "\n") // a heredoc of Windows
	bad := strings.IndexFunc(text, unprintable)
	if bad < 0 {
		return
	}
	c, _ := utf8.DecodeRuneInString(text[bad:])
	p.fail(r, "A control character in a text", "The text holds U+%04X, which would change how a terminal shows what is around it. Take it out; a line break is \\n, a tab \\t.", c)
}

// unprintable tells whether a character controls a terminal or the direction of text.
func unprintable(c rune) bool {
	switch {
	case c >= ' ' && c <= '~', c == '\n', c == '\t':
		return false
	case unicode.IsControl(c), unicode.Is(unicode.Bidi_Control, c):
		return true
	}
	return c == '\u2028' || c == '\u2029' // they end a line for some, and for others do not
}

// suspicious tells whether a manifest may hold such characters, as they are or as
// escapes: nearly none does, and every command reads manifests.
func suspicious(data []byte) bool {
	return bytes.Contains(data, []byte(`\u`)) || bytes.Contains(data, []byte(`\U`)) || bytes.Contains(data, []byte(`\r`)) ||
		bytes.IndexFunc(data, func(c rune) bool { return unprintable(c) || c == '\r' }) >= 0
}
