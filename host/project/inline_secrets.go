package project

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/schema"
)

// hiddenText stands in snippets for what may be a secret.
const hiddenText = "(hidden)"

// secretWays are how the command line gives a secret.
const secretWays = "env:NAME, file:PATH, cmd:COMMAND or keyring:SERVICE/NAME"

// isSecretSource tells whether text is a reference and no literal.
func isSecretSource(text string) bool {
	kind, rest, ok := strings.Cut(text, ":")
	switch kind {
	case "env", "file", "cmd", "keyring":
		return ok && rest != ""
	}
	return false
}

// sourceComplaint says what is wrong with a reference that was given as a flag; "" =
// nothing.
func sourceComplaint(text string) string {
	kind, what, _ := strings.Cut(text, ":")
	switch kind {
	case "env":
		if what == "" || strings.ContainsFunc(what, func(r rune) bool { return r == '=' || unicode.IsSpace(r) || unicode.IsControl(r) }) {
			return fmt.Sprintf("%s is no name of an environment variable; write env:NAME.", quote(what))
		}
	case "keyring":
		if service, name, ok := strings.Cut(what, "/"); !ok || service == "" || name == "" {
			return "A keyring is asked for a service and a name; write keyring:SERVICE/NAME."
		}
	}
	return ""
}

// secret is NAME=SOURCE, or NAME alone for env:NAME. A literal is refused, and
// not even shown.
func (i *Inline) secret(f *Flag, text string) {
	name, source, has := strings.Cut(text, "=")
	if !has {
		source = "env:" + name
	}
	if path, ok := strings.CutPrefix(source, "@"); ok && path != "" {
		source = "file:" + path
	}
	if !isSecretSource(source) {
		r := i.place("--"+f.Name, name+"="+hiddenText)
		i.diags = append(i.diags, hiding(errorAt(r, "A secret on the command line", fmt.Sprintf(
			"Command lines are seen by others and kept in the shell's history. Write --secret %s=SOURCE with one of %s.", name, secretWays))))
		return
	}
	r := i.place("--"+f.Name, text)
	if complaint := sourceComplaint(source); complaint != "" {
		i.fail(r, "Wrong reference", complaint)
		return
	}
	i.secrets = append(i.secrets, pair{name, r, call("secret", source, r)})
}

// set is NAME=VALUE of a setting; the flavor's schema types it later.
func (i *Inline) set(f *Flag, text string) {
	name, value, has := strings.Cut(text, "=")
	flag := "--set " + name
	// The value may be meant for a sensitive attribute: until the schema has
	// spoken, no snippet shows it.
	r := i.place(flag, name+"="+hiddenText)
	r.End = r.Start
	r.End.Byte, r.End.Column = r.Start.Byte+len(name), r.Start.Column+len([]rune(name))
	if !has || name == "" {
		i.fail(r, "Value missing", "A setting is written --set NAME=VALUE.")
		return
	}
	v := &Value{Name: name, Origin: inlineOrigin, NameRange: r, Range: r, in: i.in, text: &value, flag: flag}
	for n, old := range i.body.Settings {
		if old.Name == name {
			i.body.Settings[n] = v
			return
		}
	}
	i.body.Settings = append(i.body.Settings, v)
}

// typed gives a flag's text the type of its attribute. It is nil after an
// error.
func (d *decoder) typed(a *schema.Attribute, v *Value) *Value {
	if v.text == nil {
		return v
	}
	out := *v
	out.text = nil
	if a == nil {
		out.fixed = cty.StringVal(hiddenText) // the schema says that it knows no such name
		return &out
	}
	given, diags := AttributeFlag(a, v.flag, *v.text, FlagOptions{Sources: d.e.sources, Dir: v.in.dir})
	d.diags = append(d.diags, diags...)
	if diags.HasErrors() {
		return nil
	}
	if given.function != "" {
		r := schema.TextRange(v.flag, string(d.e.sources.Bytes(v.flag)))
		out.expr, out.Range, out.NameRange = call(given.function, given.argument, r), r, r
		return &out
	}
	out.fixed = given.Value
	out.Range = schema.TextRange(v.flag, string(d.e.sources.Bytes(v.flag)))
	out.NameRange = out.Range
	return &out
}

// FlagOptions are the surroundings of AttributeFlag.
type FlagOptions struct {
	Sources *diag.Sources
	// Dir is where relative paths start; absolute.
	Dir string
	// Stdin is read for "-"; nil refuses it.
	Stdin io.Reader
}

// AttributeText is what a flag gives an attribute: a value, or an expression
// that stands for one (of a secret, or of an environment variable).
type AttributeText struct {
	// Value is of the attribute's type; cty.NilVal when Expression is set.
	Value cty.Value
	// Expression is HCL, for example env("NAME").
	Expression string

	function, argument string
}

// AttributeFlag reads the text of a flag (named with its dashes, "--role") for
// an attribute of a flavor: a value typed by the schema; "@PATH" for the text
// of a file, "env:NAME" for an environment variable, "-" for standard input. A text
// in double quotes is read as HCL reads it, so that these can be given as they are.
// Sensitive attributes take references only: "env:NAME", "@PATH" and the other
// sources of secret(); nothing of a literal is shown. Paths become absolute.
func AttributeFlag(a *schema.Attribute, flag, text string, o FlagOptions) (AttributeText, hcl.Diagnostics) {
	hide := text
	if a.Sensitive && !isSecretSource(text) && !strings.HasPrefix(text, "@") {
		hide = hiddenText
	}
	o.Sources.Add(flag, []byte(hide))
	r := schema.TextRange(flag, hide)
	refuse := func(summary, detail string) (AttributeText, hcl.Diagnostics) {
		d := errorAt(r, summary, detail)
		if a.Sensitive {
			d = hiding(d)
		}
		return AttributeText{}, hcl.Diagnostics{d}
	}
	from := "the text" // of an argument, of a file, of standard input
	path, isFile := strings.CutPrefix(text, "@")
	if isFile && path == "" {
		return refuse("File missing", fmt.Sprintf("%s=@PATH reads the value from a file. %s", flag, quoting(flag, text)))
	}
	if isFile && !filepath.IsAbs(path) {
		path = filepath.Join(o.Dir, path)
	}
	switch name, isEnv := strings.CutPrefix(text, "env:"); {
	case (isEnv || a.Sensitive && isSecretSource(text)) && sourceComplaint(text) != "":
		detail := sourceComplaint(text)
		if !a.Sensitive {
			detail += " " + quoting(flag, text)
		}
		return refuse("Wrong reference", detail)
	case isEnv:
		return expression("env", name), nil
	case a.Sensitive && isFile:
		// secret() leaves the last line break of a file out, file() does not.
		return expression("secret", "file:"+path), nil
	case a.Sensitive && isSecretSource(text):
		if path, ok := strings.CutPrefix(text, "file:"); ok && !filepath.IsAbs(path) {
			text = "file:" + filepath.Join(o.Dir, path)
		}
		return expression("secret", text), nil
	case a.Sensitive && text == "-":
		return refuse("Standard input cannot be kept", fmt.Sprintf(
			"%s is sensitive: stephost keeps where it comes from, not its value. Give %s=env:NAME or %s=@PATH.", flag, flag, flag))
	case a.Sensitive:
		return refuse("A secret on the command line", fmt.Sprintf(
			"%s is sensitive, and command lines are seen by others and kept in the shell's history. Give %s=env:NAME, %s=@PATH or one of %s.",
			flag, flag, flag, secretWays))
	case isFile:
		src, err := readFile(path)
		if err != nil {
			return refuse("Cannot read file", fmt.Sprintf("%s: %s. %s", text[1:], rootCause(err), quoting(flag, text)))
		}
		text, from = valueText(a, src), "the file"
	case text == "-" && o.Stdin == nil:
		return refuse("No standard input", "Standard input cannot be read here. "+quoting(flag, text))
	case text == "-":
		src, err := io.ReadAll(io.LimitReader(o.Stdin, diag.MaxSource+1))
		if err != nil {
			return refuse("Cannot read standard input", err.Error()+".")
		}
		text, from = valueText(a, src), "standard input"
	case strings.HasPrefix(text, `"`) && (a.Type == cty.String || a.Type == cty.DynamicPseudoType):
		literal, filled, ok := unquoted(text)
		if filled {
			return refuse("A text on the command line is literal", "Nothing is filled in here. To write the characters as they are, double the sign: $${ (and %%{ for %{).")
		}
		if ok {
			value, _ := schema.ParseValue(&schema.Attribute{Name: a.Name, Type: cty.String}, literal, o.Sources, flag)
			o.Sources.Add(flag, []byte(text))
			return AttributeText{Value: value}, nil
		}
	}
	switch {
	case !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0:
		return refuse("Not UTF-8 text", fmt.Sprintf("%s: %s is not UTF-8 text. Encode it, for example with base64.", flag, from))
	case len(text) > schema.MaxValue:
		return refuse("Value too large", fmt.Sprintf("%s: %s has more than %d bytes, the most that a value may have.", flag, from, schema.MaxValue))
	case a.Type == cty.Number && !strings.ContainsAny(text, "0123456789"):
		return refuse("Wrong value for "+flag, fmt.Sprintf("A number is needed, for example %s=2.", flag))
	}
	val, diags := schema.ParseValue(a, text, o.Sources, flag)
	if !diags.HasErrors() {
		diags = append(diags, writtenTwice(a, flag, text)...)
	}
	return AttributeText{Value: val}, diags
}

// quoting is the hint how to give a text itself that begins like a reference.
func quoting(flag, text string) string {
	return fmt.Sprintf("To give the text %s itself, write %s='%s'.", problem.Bound(text, 40), flag, hclString(text))
}

// unquoted reads a text that is wholly one string of HCL. filled says that it is one
// with something to be filled in; ok is false for what is none at all.
func unquoted(text string) (literal string, filled, ok bool) {
	x, diags := hclsyntax.ParseExpression([]byte(text), "", hcl.InitialPos)
	if diags.HasErrors() {
		return "", false, false
	}
	t, isTemplate := x.(*hclsyntax.TemplateExpr)
	if !isTemplate {
		_, filled = x.(*hclsyntax.TemplateWrapExpr)
		return "", filled, false
	}
	for _, part := range t.Parts {
		lit, isLiteral := part.(*hclsyntax.LiteralValueExpr)
		if !isLiteral {
			return "", true, false
		}
		literal += lit.Val.AsString()
	}
	return literal, false, true
}

// writtenTwice finds keys that stand twice in one map or object of a flag's text: HCL
// takes the last one.
func writtenTwice(a *schema.Attribute, flag, text string) hcl.Diagnostics {
	if a.Type.IsPrimitiveType() || !strings.Contains(text, "{") {
		return nil
	}
	x, diags := hclsyntax.ParseExpression([]byte(text), flag, hcl.InitialPos)
	if diags.HasErrors() {
		return nil // a text of "any"
	}
	return keysTwice(a.Name, x, func(r hcl.Range) string { return fmt.Sprintf("line %d, column %d", r.Start.Line, r.Start.Column) })
}

// valueText is the content of a file as a value: the line break that editors
// put at the end is not part of it.
func valueText(a *schema.Attribute, src []byte) string {
	text := string(src)
	if a.Type == cty.String {
		text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	}
	return text
}

func expression(function, argument string) AttributeText {
	return AttributeText{Value: cty.NilVal, Expression: function + "(" + schema.Literal(cty.StringVal(argument)) + ")",
		function: function, argument: argument}
}

var _ hclsyntax.Expression = (*rawText)(nil)
