package diag

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// precheck refuses what the parser or the evaluator could not bear. It costs
// one pass over the bytes; only suspicious texts are looked at by token.
func precheck(name string, src []byte, asJSON bool) *hcl.Diagnostic {
	start := hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.InitialPos}
	if len(src) > MaxSource {
		return &hcl.Diagnostic{Severity: hcl.DiagError, Subject: &start, Summary: "File too large",
			Detail: fmt.Sprintf("%s has %d bytes; at most %d are read.", name, len(src), MaxSource)}
	}
	if bytes.IndexByte(src, 0) >= 0 || !utf8.Valid(src) {
		return &hcl.Diagnostic{Severity: hcl.DiagError, Subject: &start, Summary: "Not a text file",
			Detail: fmt.Sprintf("%s is not UTF-8 text. Is it a binary file?", name)}
	}
	if asJSON {
		return precheckJSON(name, src)
	}
	if !suspicious(src) {
		return nil
	}
	tokens, _ := hclsyntax.LexConfig(src, name, hcl.InitialPos)
	return precheckTokens(tokens)
}

// suspicious is a cheap test that is true for every text that precheckTokens
// could refuse (and for some others: it does not know strings and comments).
func suspicious(src []byte) bool {
	var open, operators, texts int
	digits := 0
	for i, c := range src {
		switch c {
		case '\n', '$':
			texts++
		case '{', '[', '(':
			// A closing bracket takes nothing off: in a string it would hide
			// an opening one outside.
			open++
		case '!', '?', '+', '-', '*', '/', '%', '&', '|', '<', '>':
			operators++
			if c == '%' {
				texts++
			}
		}
		if c == '=' && i > 0 && (src[i-1] == '=' || src[i-1] == '!') {
			operators++
		}
		switch {
		case c >= '0' && c <= '9' || c == '.':
			digits++
		case (c == 'e' || c == 'E') && digits > 0 && longExponent(src[i+1:]):
			return true
		default:
			digits = 0
		}
		if digits > MaxNumber {
			return true
		}
	}
	return open > MaxNesting || operators > MaxOperators || texts > MaxTexts
}

// longExponent tells whether rest starts with an exponent above MaxExponent.
func longExponent(rest []byte) bool {
	if len(rest) > 0 && (rest[0] == '+' || rest[0] == '-') {
		rest = rest[1:]
	}
	n := 0
	for n < len(rest) && n < 32 && rest[n] >= '0' && rest[n] <= '9' {
		n++
	}
	e, err := strconv.Atoi(string(rest[:n]))
	return n > 0 && (err != nil || e > MaxExponent)
}

// precheckTokens refuses deep nesting, endless expressions and giant numbers.
func precheckTokens(tokens hclsyntax.Tokens) *hcl.Diagnostic {
	// One level for each open bracket or quote: the operators of its current
	// expression. A comma starts another expression; so does a new line, but
	// not inside ( and [ and templates.
	type level struct {
		operators int
		lines     bool
	}
	stack := make([]level, 1, 16)
	stack[0].lines = true
	texts := 0 // that follow each other
	for _, t := range tokens {
		top := &stack[len(stack)-1]
		switch t.Type {
		case hclsyntax.TokenStringLit, hclsyntax.TokenQuotedLit:
			if texts++; texts > MaxTexts {
				r := t.Range
				return &hcl.Diagnostic{Severity: hcl.DiagError, Subject: &r, Summary: "Text too long",
					Detail: fmt.Sprintf("A text may have %d lines, and so many $ and %% in a line. Write it into a file and use file(), where that is possible.", MaxTexts)}
			}
		default:
			texts = 0
		}
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen,
			hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl, hclsyntax.TokenOQuote:
			switch t.Type {
			case hclsyntax.TokenOBrack, hclsyntax.TokenTemplateControl:
				// a[0][0][0] and %{if a}%{if b} nest without open brackets.
				if top.operators++; top.operators > MaxOperators {
					return tooComplex(t.Range)
				}
			}
			if stack = append(stack, level{lines: t.Type == hclsyntax.TokenOBrace}); len(stack) > MaxNesting {
				r := t.Range
				return &hcl.Diagnostic{Severity: hcl.DiagError, Subject: &r, Summary: "Nested too deeply",
					Detail: fmt.Sprintf("Brackets, blocks and templates may nest %d deep.", MaxNesting)}
			}
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen,
			hclsyntax.TokenTemplateSeqEnd, hclsyntax.TokenCQuote:
			if len(stack) > 1 {
				stack = stack[:len(stack)-1]
			}
		case hclsyntax.TokenComma:
			top.operators = 0
		case hclsyntax.TokenNewline:
			if top.lines {
				top.operators = 0
			}
		case hclsyntax.TokenBang, hclsyntax.TokenPlus, hclsyntax.TokenMinus, hclsyntax.TokenStar,
			hclsyntax.TokenSlash, hclsyntax.TokenPercent, hclsyntax.TokenAnd, hclsyntax.TokenOr,
			hclsyntax.TokenQuestion, hclsyntax.TokenEqualOp, hclsyntax.TokenNotEqual,
			hclsyntax.TokenLessThan, hclsyntax.TokenLessThanEq, hclsyntax.TokenGreaterThan,
			hclsyntax.TokenGreaterThanEq:
			if top.operators++; top.operators > MaxOperators {
				return tooComplex(t.Range)
			}
		case hclsyntax.TokenNumberLit:
			if d := checkNumber(string(t.Bytes), t.Range); d != nil {
				return d
			}
		}
	}
	return nil
}

func tooComplex(r hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Subject: &r, Summary: "Expression too long",
		Detail: fmt.Sprintf("One expression may have %d operators. Compute the value elsewhere and write the result.", MaxOperators)}
}

func checkNumber(text string, r hcl.Range) *hcl.Diagnostic {
	if NumberFits(text) {
		return nil
	}
	return &hcl.Diagnostic{Severity: hcl.DiagError, Subject: &r, Summary: "Number too large",
		Detail: fmt.Sprintf("A number may have %d digits and an exponent up to %d.", MaxNumber, MaxExponent)}
}

// NumberFits tells whether the text of a number keeps to MaxNumber and
// MaxExponent.
func NumberFits(text string) bool {
	if len(text) > MaxNumber {
		return false
	}
	i := strings.IndexAny(text, "eE")
	return i < 0 || !longExponent([]byte(text[i+1:]))
}

// precheckJSON is precheck for JSON: nesting of the document, and of the
// templates in its strings.
func precheckJSON(name string, src []byte) *hcl.Diagnostic {
	depth := 0
	for i := 0; i < len(src); i++ {
		switch c := src[i]; c {
		case '{', '[':
			if depth++; depth > MaxNesting {
				r := rangeAt(name, src, i, i+1)
				return &hcl.Diagnostic{Severity: hcl.DiagError, Subject: &r, Summary: "Nested too deeply",
					Detail: fmt.Sprintf("Arrays and objects may nest %d deep.", MaxNesting)}
			}
		case '}', ']':
			depth--
		case '"':
			end := i + 1
			for end < len(src) && src[end] != '"' {
				if src[end] == '\\' {
					end++
				}
				end++
			}
			end = min(end+1, len(src))
			if d := precheckTemplate(name, src, i, end); d != nil {
				return d
			}
			i = end - 1
		default:
			if c == '-' || c >= '0' && c <= '9' {
				end := i + 1
				for end < len(src) && strings.IndexByte("0123456789+-.eE", src[end]) >= 0 {
					end++
				}
				if d := checkNumber(string(src[i:end]), rangeAt(name, src, i, end)); d != nil {
					return d
				}
				i = end - 1
			}
		}
	}
	return nil
}

// precheckTemplate checks the JSON string src[start:end], which the JSON
// parser reads as a template when its value is asked for.
func precheckTemplate(name string, src []byte, start, end int) *hcl.Diagnostic {
	lit := src[start:end]
	if !bytes.Contains(lit, []byte("{")) && !bytes.Contains(lit, []byte(`\u`)) {
		return nil
	}
	var text string
	if json.Unmarshal(lit, &text) != nil {
		return nil // the parser says what is wrong
	}
	if !strings.Contains(text, "${") && !strings.Contains(text, "%{") {
		return nil
	}
	tokens, _ := hclsyntax.LexTemplate([]byte(text), name, hcl.InitialPos)
	d := precheckTokens(tokens)
	if d != nil {
		r := rangeAt(name, src, start, end)
		d.Subject = &r
	}
	return d
}

// rangeAt is the range of src[start:end].
func rangeAt(name string, src []byte, start, end int) hcl.Range {
	return hcl.Range{Filename: name, Start: posAt(src, start), End: posAt(src, end)}
}

func posAt(src []byte, offset int) hcl.Pos {
	line := 1 + bytes.Count(src[:offset], []byte("\n"))
	col := 1 + utf8.RuneCount(src[bytes.LastIndexByte(src[:offset], '\n')+1:offset])
	return hcl.Pos{Line: line, Column: col, Byte: offset}
}
