package schema

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// A placeholder is "\x00ref:KIND:WHAT\x00". No text that a person writes holds
// a NUL: HCL sources and files with one are refused.
const (
	referenceStart = "\x00ref:"
	referenceEnd   = "\x00"
)

func reference(kind, what string) string { return referenceStart + kind + ":" + what + referenceEnd }

// HasReference tells whether s holds a placeholder of ModeReference.
func HasReference(s string) bool { return strings.Contains(s, referenceStart) }

// References lists the placeholders in s for people: env("NAME"),
// file("/path"), secret("cmd:...").
func References(s string) []string {
	var out []string
	_ = eachReference(s, func(string) {}, func(kind, what string) error {
		out = append(out, kind+"("+quote(what)+")")
		return nil
	})
	return out
}

// ExpandTemplate replaces the placeholders in s by their values. It stops at
// the first that cannot be resolved; the error names it.
func ExpandTemplate(ctx context.Context, s string, r Resolver) (string, error) {
	var b strings.Builder
	err := eachReference(s, func(text string) { b.WriteString(text) }, func(kind, what string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		var v string
		var err error
		switch kind {
		case "env":
			v, err = r.Env(what)
		case "file":
			v, err = r.File(what)
		case "secret":
			v, err = r.Secret(what)
		default:
			err = fmt.Errorf("unknown kind of reference %q", bounded(kind))
		}
		if err != nil {
			return fmt.Errorf("%s(%s): %w", bounded(kind), quote(bounded(what)), err)
		}
		b.WriteString(v)
		return nil
	})
	if err != nil {
		return "", err
	}
	return b.String(), nil
}

// eachReference walks over the texts and placeholders of s.
func eachReference(s string, text func(string), ref func(kind, what string) error) error {
	for {
		before, rest, found := strings.Cut(s, referenceStart)
		text(before)
		if !found {
			return nil
		}
		body, after, closed := strings.Cut(rest, referenceEnd)
		kind, what, ok := strings.Cut(body, ":")
		if !closed || !ok {
			return fmt.Errorf("a reference is damaged")
		}
		if err := ref(kind, what); err != nil {
			return err
		}
		s = after
	}
}

// holdsReference tells whether a string anywhere in v holds a placeholder of a
// kind that want accepts.
func holdsReference(v cty.Value, want func(kind string) bool) bool {
	v, _ = v.Unmark()
	if v == cty.NilVal || v.IsNull() || !v.IsKnown() {
		return false
	}
	if v.Type() == cty.String {
		s := v.AsString()
		if !HasReference(s) {
			return false
		}
		found := false
		err := eachReference(s, func(string) {}, func(kind, _ string) error {
			found = found || want(kind)
			return nil
		})
		return found || err != nil
	}
	if !v.CanIterateElements() {
		return false
	}
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		if holdsReference(k, want) || holdsReference(e, want) {
			return true
		}
	}
	return false
}

// CheckReferences refuses an expression that works on a reference with an
// operator, a condition or an index: in ModeReference it would work on the
// placeholder. (Functions refuse placeholders by themselves.)
func CheckReferences(expr hcl.Expression) hcl.Diagnostics {
	node, ok := expr.(hclsyntax.Node)
	if !ok {
		return nil
	}
	w := &referenceWalker{}
	_ = hclsyntax.Walk(node, w)
	return w.diags
}

type referenceWalker struct {
	inside int
	diags  hcl.Diagnostics
}

func (w *referenceWalker) Enter(n hclsyntax.Node) hcl.Diagnostics {
	switch n := n.(type) {
	case *hclsyntax.BinaryOpExpr, *hclsyntax.UnaryOpExpr, *hclsyntax.ConditionalExpr, *hclsyntax.IndexExpr,
		*hclsyntax.ForExpr, *hclsyntax.SplatExpr, *hclsyntax.RelativeTraversalExpr:
		w.inside++
	case *hclsyntax.FunctionCallExpr:
		if w.inside > 0 && (n.Name == "env" || n.Name == "file" || n.Name == "secret") {
			r := n.Range()
			w.diags = append(w.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Subject: &r,
				Summary: n.Name + "() cannot be computed with here", Detail: referenceHelp})
		}
	}
	return nil
}

func (w *referenceWalker) Exit(n hclsyntax.Node) hcl.Diagnostics {
	switch n.(type) {
	case *hclsyntax.BinaryOpExpr, *hclsyntax.UnaryOpExpr, *hclsyntax.ConditionalExpr, *hclsyntax.IndexExpr,
		*hclsyntax.ForExpr, *hclsyntax.SplatExpr, *hclsyntax.RelativeTraversalExpr:
		w.inside--
	}
	return nil
}

const referenceHelp = "Where a secret may stand, the record keeps the reference and never the value, so env(), file() and secret() " +
	"can stand alone or inside a string, but nothing can be computed from them. secret(\"file:...\") leaves the last line break out by itself."

// absolute makes a path of file() or secret("file:...") absolute.
func absolute(baseDir, path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(baseDir, path)
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
