package registry

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/problem"
)

// Attr is one attribute of an operator block.
type Attr struct {
	// Path is its name with the blocks around it: "config.role",
	// "environment.base_image", "env".
	Path string
	// Expr is HCL, stored as it is written: env("HF_TOKEN"). It wins over Value.
	Expr string
	// Value is stored as a literal. It must be known, and not sensitive: what
	// is secret is stored as an expression that names its place.
	Value cty.Value
}

// written begins a file that stephost composed.
const written = "# Written by stephost. Edit it as you like: comments and order are kept.\n"

// composeOperator writes a new operator.
func composeOperator(spec OperatorSpec) ([]byte, error) {
	file := hclwrite.NewEmptyFile()
	body := file.Body().AppendNewBlock("operator", []string{spec.Name}).Body()
	body.SetAttributeValue("flavor", cty.StringVal(spec.Flavor))
	for _, a := range spec.Attrs {
		if err := setAttr(body, spec.Name, a); err != nil {
			return nil, err
		}
	}
	return append([]byte(written), hclwrite.Format(file.Bytes())...), nil
}

// editOperator changes a stored text and keeps the rest of it.
func editOperator(old *Operator, change OperatorChange) ([]byte, error) {
	file, block, err := writable(old)
	if err != nil {
		return nil, err
	}
	if change.Flavor != "" {
		block.Body().SetAttributeValue("flavor", cty.StringVal(change.Flavor))
	}
	for _, path := range change.Unset {
		unsetAttr(block.Body(), path)
	}
	for _, a := range change.Set {
		if err := setAttr(block.Body(), old.Name, a); err != nil {
			return nil, err
		}
	}
	text := keepLayout(old.Source, file.Bytes())
	return text, nothingLost(old, text, change)
}

// nothingLost compares the names before and after an edit: whatever layout a
// person chose, a line that was not to be changed must still be there.
func nothingLost(old *Operator, text []byte, change OperatorChange) error {
	by := func(what string) error {
		return &problem.Error{Operator: old.Name, Summary: "cannot edit " + old.File + " without losing " + what, Next: "edit the file by hand"}
	}
	before, after := attributePaths(old.Source), attributePaths(text)
	fold := func(s string) string { return strings.ReplaceAll(s, "-", "_") }
	for _, path := range change.Unset {
		delete(before, fold(path))
	}
	for _, a := range change.Set {
		before[fold(a.Path)] = true
	}
	for path := range before {
		if !after[path] {
			return by(path)
		}
	}
	return nil
}

// attributePaths names all attributes of an operator's block, with "_".
func attributePaths(src []byte) map[string]bool {
	out := map[string]bool{}
	file, _ := hclsyntax.ParseConfig(src, "operator", hcl.InitialPos)
	if file == nil {
		return out
	}
	var walk func(prefix string, body *hclsyntax.Body)
	walk = func(prefix string, body *hclsyntax.Body) {
		for name := range body.Attributes {
			out[strings.ReplaceAll(prefix+name, "-", "_")] = true
		}
		for _, b := range body.Blocks {
			walk(prefix+b.Type+".", b.Body)
		}
	}
	if body, ok := file.Body.(*hclsyntax.Body); ok {
		for _, b := range body.Blocks {
			walk("", b.Body)
		}
	}
	return out
}

// relabelOperator gives the text another name.
func relabelOperator(old *Operator, name string) ([]byte, error) {
	file, block, err := writable(old)
	if err != nil {
		return nil, err
	}
	block.SetLabels([]string{name})
	return keepLayout(old.Source, file.Bytes()), nil
}

// writable parses an operator, which outline has accepted, for editing.
func writable(o *Operator) (file *hclwrite.File, block *hclwrite.Block, err error) {
	if file, err = parseWritable(o.Source, o.File); err != nil {
		return nil, nil, err
	}
	for _, b := range file.Body().Blocks() {
		if b.Type() == "operator" {
			return file, b, nil
		}
	}
	return nil, nil, &problem.Error{Operator: o.Name, Summary: "cannot find its block in " + o.File}
}

// parseWritable is hclwrite's parser for text that the strict parser accepted.
// It is not meant for hostile input, so its panics become errors.
func parseWritable(src []byte, name string) (file *hclwrite.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &problem.Error{Summary: "cannot edit " + name, Err: fmt.Errorf("%v", p), Next: "edit the file by hand"}
		}
	}()
	file, diags := hclwrite.ParseConfig(src, name, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, diags
	}
	return file, nil
}

// setAttr sets one attribute and makes the blocks around it.
func setAttr(body *hclwrite.Body, operator string, a Attr) error {
	blocks, name, err := splitPath(operator, a.Path)
	if err != nil {
		return err
	}
	tokens, err := a.tokens(operator)
	if err != nil {
		return err
	}
	for _, b := range blocks {
		inner := body.FirstMatchingBlock(b, nil)
		if inner == nil {
			inner = body.AppendNewBlock(b, nil)
		}
		spread(inner.Body())
		body = inner.Body()
	}
	body.SetAttributeRaw(existing(body, name), tokens)
	return nil
}

// unsetAttr removes one attribute where it is there.
func unsetAttr(body *hclwrite.Body, path string) {
	words := strings.Split(path, ".")
	for _, b := range words[:len(words)-1] {
		inner := body.FirstMatchingBlock(b, nil)
		if inner == nil {
			return
		}
		body = inner.Body()
	}
	body.RemoveAttribute(existing(body, words[len(words)-1]))
}

// existing finds the spelling that is there: "-" and "_" are the same.
func existing(body *hclwrite.Body, name string) string {
	fold := func(s string) string { return strings.ReplaceAll(s, "-", "_") }
	for have := range body.Attributes() {
		if fold(have) == fold(name) {
			return have
		}
	}
	return name
}

// spread makes room in a block that is written on one line: a second attribute
// there would be a syntax error.
func spread(body *hclwrite.Body) {
	tokens := body.BuildTokens(nil)
	if len(tokens) == 0 || tokens[0].Type == hclsyntax.TokenNewline || tokens[0].Type == hclsyntax.TokenComment {
		return
	}
	for _, t := range tokens {
		if t.Type == hclsyntax.TokenNewline {
			return
		}
	}
	attrs := body.Attributes()
	if len(attrs) != 1 || len(body.Blocks()) > 0 {
		return
	}
	for name, attr := range attrs {
		expr := attr.Expr().BuildTokens(nil)
		body.RemoveAttribute(name)
		body.AppendNewline()
		body.SetAttributeRaw(name, expr)
	}
}

func splitPath(operator, path string) (blocks []string, name string, err error) {
	words := strings.Split(path, ".")
	for _, w := range words {
		if !hclsyntax.ValidIdentifier(w) {
			return nil, "", &problem.Error{Operator: operator, Summary: quoted(path) + " is no name of an attribute"}
		}
	}
	return words[:len(words)-1], words[len(words)-1], nil
}

// tokens is the attribute's right-hand side.
func (a Attr) tokens(operator string) (_ hclwrite.Tokens, err error) {
	fail := func(what string, cause error) error {
		return &problem.Error{Operator: operator, Summary: a.Path + " cannot be stored: " + what, Err: cause,
			Next: `write it as an expression, for example env("NAME")`}
	}
	if a.Expr != "" {
		return exprTokens(a.Expr, fail)
	}
	switch v := a.Value; {
	case v == cty.NilVal:
		return nil, fail("it has no value", nil)
	case v.ContainsMarked():
		return nil, fail("it is sensitive, and stephost stores no secrets", nil)
	case !v.IsWhollyKnown():
		return nil, fail("its value is not known yet", nil)
	}
	defer func() {
		if p := recover(); p != nil {
			err = fail("its type has no literal", fmt.Errorf("%v", p))
		}
	}()
	return hclwrite.TokensForValue(a.Value), nil
}

// exprTokens lexes an expression that is exactly one: text behind it would
// become further lines of the file.
func exprTokens(expr string, fail func(string, error) error) (hclwrite.Tokens, error) {
	if _, diags := hclsyntax.ParseExpression([]byte(expr), "expression", hcl.InitialPos); diags.HasErrors() {
		return nil, fail("it is not an expression", diags)
	}
	file, err := parseWritable([]byte("x = "+expr+"\n"), "expression")
	if err != nil {
		return nil, fail("it is not an expression", err)
	}
	attr := file.Body().GetAttribute("x")
	if attr == nil || len(file.Body().Attributes()) != 1 || len(file.Body().Blocks()) > 0 {
		return nil, fail("it is not one expression", nil)
	}
	tokens := attr.Expr().BuildTokens(nil)
	for _, t := range tokens {
		if t.Type == hclsyntax.TokenComment {
			return nil, fail("it has a comment in it", nil)
		}
	}
	return tokens, nil
}

// normalOperator checks one block's text for storing: its name, its paths, which
// start at dir (see WriteOptions.Dir), and whether it asks to be the default, which
// is kept elsewhere.
func (r *Registry) normalOperator(text []byte, dir string) (name string, _ []byte, chosen bool, err error) {
	const shown = "operator"
	parsed, diags := r.sources.Parse(shown, text)
	if diags.HasErrors() {
		return "", nil, false, diags
	}
	body, ok := parsed.Body.(*hclsyntax.Body)
	if !ok || len(body.Blocks) != 1 || body.Blocks[0].Type != "operator" || len(body.Blocks[0].Labels) != 1 {
		return "", nil, false, &problem.Error{Summary: "the text is not one operator block"}
	}
	name = body.Blocks[0].Labels[0]
	if err := CheckOperatorName(name); err != nil {
		return "", nil, false, err
	}
	attr := body.Blocks[0].Body.Attributes["default"]
	if dir != "" {
		if text, diags = absolutePaths(body.Blocks[0], text, dir); diags.HasErrors() {
			return "", nil, false, diags
		}
	}
	if attr == nil {
		return name, text, false, nil
	}
	v, vdiags := diag.Evaluate(attr.Expr, nil)
	if vdiags.HasErrors() || v.IsNull() || v.Type() != cty.Bool {
		return "", nil, false, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Default is not true or false",
			Detail: "Write default = true, or leave it out.", Subject: attr.Expr.Range().Ptr()}}
	}
	file, err := parseWritable(text, shown)
	if err != nil {
		return "", nil, false, err
	}
	file.Body().Blocks()[0].Body().RemoveAttribute("default")
	return name, keepLayout(text, file.Bytes()), v.True(), nil
}

// splitBlocks cuts the operator blocks out of a file; other counts the rest.
func splitBlocks(parsed *hcl.File, src []byte) (texts [][]byte, other int, err error) {
	body, ok := parsed.Body.(*hclsyntax.Body)
	if !ok {
		return nil, 0, &problem.Error{Summary: "operators are stored as HCL, not JSON", Next: "write the file as HCL"}
	}
	other = len(body.Attributes)
	name := body.SrcRange.Filename
	file, err := parseWritable(src, name)
	if err != nil {
		return nil, 0, err
	}
	for _, b := range file.Body().Blocks() {
		if b.Type() != "operator" {
			other++
			continue
		}
		texts = append(texts, b.BuildTokens(nil).Bytes())
	}
	return texts, other, cannotStore(body)
}

// cannotStore finds what keeps the operators of a file from being stored, while it
// can still be shown in that file.
func cannotStore(body *hclsyntax.Body) error {
	var diags hcl.Diagnostics
	first := map[string]hcl.Range{}
	for _, b := range body.Blocks {
		if b.Type != "operator" || len(b.Labels) != 1 {
			continue
		}
		name := b.Labels[0]
		if at, twice := first[name]; twice {
			diags = append(diags, twoOfOneName(name, at, b.DefRange()))
			continue
		}
		first[name] = b.DefRange()
		_, wrong := storedPaths(b)
		diags = append(diags, wrong...)
	}
	if diags.HasErrors() {
		return diags
	}
	return nil
}
