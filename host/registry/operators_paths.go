package registry

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/schema"
)

// secretFile begins the argument of secret() that names a file.
const secretFile = "file:"

// storedPath is a relative path in an operator's text that is to be stored: there it
// would start at another directory.
type storedPath struct {
	at   hcl.Range // of the whole literal
	path string
	// before stays in front of the path: "file:" in secret().
	before string
}

// storedPaths finds the relative paths in an operator's block: arguments of file()
// and secret(), and the attributes of environment that are paths. A path that is
// computed cannot be made absolute in its text and is refused, unless it says itself
// where it starts.
func storedPaths(block *hclsyntax.Block) (paths []storedPath, diags hcl.Diagnostics) {
	look := func(x hclsyntax.Expression, before string) {
		text, literal := literalText(x)
		rest, isFile := strings.CutPrefix(text, before)
		switch {
		case !literal && !startsSomewhere(x, before):
			r := x.Range()
			diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Subject: &r, Summary: "A path made by an expression",
				Detail: "The operator is stored in another directory, where a relative path would mean another file, and this one cannot be made absolute. " +
					`Write the absolute path, or begin it with a variable: "${env("HOME")}/...".`})
		case literal && isFile && rest != "" && !filepath.IsAbs(rest) && rest != "~" && !strings.HasPrefix(rest, "~/"):
			paths = append(paths, storedPath{at: x.Range(), path: rest, before: before})
		}
	}
	_ = hclsyntax.VisitAll(block.Body, func(n hclsyntax.Node) hcl.Diagnostics {
		if call, ok := n.(*hclsyntax.FunctionCallExpr); ok && len(call.Args) == 1 {
			switch call.Name {
			case "file":
				look(call.Args[0], "")
			case "secret":
				look(call.Args[0], secretFile)
			}
		}
		return nil
	})
	for _, env := range block.Body.Blocks {
		if env.Type != "environment" {
			continue
		}
		for _, name := range []string{"dockerfile", "requirements_file", "requirements-file"} {
			if a := env.Body.Attributes[name]; a != nil {
				look(a.Expr, "")
			}
		}
		for _, source := range env.Body.Blocks {
			if a := source.Body.Attributes["path"]; a != nil && source.Type == "source" {
				look(a.Expr, "")
			}
		}
	}
	slices.SortFunc(paths, func(a, b storedPath) int { return a.at.Start.Byte - b.at.Start.Byte })
	return paths, diags
}

// literalText is the text that an expression is, without anything to be filled in.
func literalText(x hclsyntax.Expression) (string, bool) {
	if p, ok := x.(*hclsyntax.ParenthesesExpr); ok {
		return literalText(p.Expression)
	}
	if t, ok := x.(*hclsyntax.TemplateExpr); ok && t.IsStringLiteral() || ok && len(t.Parts) == 0 {
		v, diags := diag.Evaluate(x, nil)
		if diags.HasErrors() {
			return "", false
		}
		return v.AsString(), true
	}
	return "", false
}

// startsSomewhere tells whether a computed text cannot mean another file elsewhere:
// it begins with an absolute path, with an environment variable, or, in secret(), as
// what is no file. What it begins with decides, so a condition is followed.
func startsSomewhere(x hclsyntax.Expression, before string) bool {
	if len(x.Variables()) > 0 {
		return true // there are none in the store, which the check of the operator says better
	}
	switch x := x.(type) {
	case *hclsyntax.ParenthesesExpr:
		return startsSomewhere(x.Expression, before)
	case *hclsyntax.ConditionalExpr:
		return startsSomewhere(x.TrueResult, before) && startsSomewhere(x.FalseResult, before)
	case *hclsyntax.TemplateWrapExpr:
		return startsSomewhere(x.Wrapped, before)
	case *hclsyntax.FunctionCallExpr:
		if x.Name == "env" && before == "" {
			return true
		}
	case *hclsyntax.TemplateExpr:
		first, ok := literalOf(x.Parts[0])
		rest, isFile := strings.CutPrefix(first, before)
		switch {
		case !ok && before == "":
			return startsSomewhere(x.Parts[0], "")
		case !ok: // the kind of a secret is computed
		case before != "" && strings.Contains(first, ":") && !isFile:
			return true // secret("cmd:..."), and what secret() will refuse
		case isFile && rest == "" && len(x.Parts) > 1:
			return startsSomewhere(x.Parts[1], "")
		default:
			return isFile && filepath.IsAbs(rest)
		}
	}
	// Functions of texts alone give the same everywhere.
	v, diags := diag.Evaluate(x, &hcl.EvalContext{Functions: schema.Functions(schema.ModeValidate, nil, "")})
	if diags.HasErrors() || !v.IsKnown() || v.IsNull() || v.Type() != cty.String {
		return false
	}
	v, _ = v.Unmark()
	rest, isFile := strings.CutPrefix(v.AsString(), before)
	return !isFile || filepath.IsAbs(rest)
}

// literalOf is the text of a part of a template that is literal.
func literalOf(x hclsyntax.Expression) (string, bool) {
	if lit, ok := x.(*hclsyntax.LiteralValueExpr); ok && lit.Val.Type() == cty.String && !lit.Val.IsNull() {
		return lit.Val.AsString(), true
	}
	return "", false
}

// absolutePaths writes the relative paths of an operator's text, which start at dir,
// as absolute ones. Everything else stays.
func absolutePaths(block *hclsyntax.Block, text []byte, dir string) ([]byte, hcl.Diagnostics) {
	paths, diags := storedPaths(block)
	if diags.HasErrors() || len(paths) == 0 {
		return text, diags
	}
	var out bytes.Buffer
	done := 0
	for _, p := range paths {
		out.Write(text[done:p.at.Start.Byte])
		out.Write(hclwrite.TokensForValue(cty.StringVal(p.before + filepath.Join(dir, p.path))).Bytes())
		// The line break at the end of a heredoc belongs to it.
		done = p.at.End.Byte
		if bytes.HasSuffix(text[p.at.Start.Byte:done], []byte("\n")) {
			out.WriteByte('\n')
		}
	}
	out.Write(text[done:])
	return out.Bytes(), nil
}

// twoOfOneName is the error about a second operator of a name, worded as the one
// about a project's.
func twoOfOneName(name string, first, second hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Subject: &second, Summary: "Declared twice",
		Detail: fmt.Sprintf("The operator %s is declared twice; the first is at %s:%d.", quoted(name), first.Filename, first.Start.Line)}
}
