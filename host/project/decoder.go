package project

import (
	"fmt"
	"math/big"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/stephost/stephost/host/schema"
)

// decoder turns written values into Go values, collecting every diagnostic,
// origin and postponed value on its way. Load uses one per block, to check it
// alone; Resolve uses one for all levels together.
type decoder struct {
	// e gives plain values: unknown while validating, resolved at launch.
	e *evaluator
	// shadow never resolves; references gives templates.
	shadow, references *evaluator
	stage              schema.Stage
	// shown makes file names short.
	shown    func(hcl.Range) string
	diags    hcl.Diagnostics
	origins  map[string]string
	deferred []string
	// computedNames remembers which variables and locals compute with a
	// reference.
	computedNames map[nameKey]bool
}

// winner is the value that won over lower levels.
type winner struct {
	*Value
	val cty.Value
	// level is the index of the body that gave it.
	level int
}

// set tells whether a person gave a value.
func (w winner) set() bool { return w.Value != nil }

// known tells whether there is a value to work with.
func (w winner) known() bool { return w.Value != nil && w.val.IsWhollyKnown() && !w.val.IsNull() }

func (d *decoder) fail(r hcl.Range, summary, detail string) {
	d.diags = append(d.diags, errorAt(r, summary, detail))
}

func (d *decoder) warn(r hcl.Range, summary, detail string) {
	d.diags = append(d.diags, warningAt(r, summary, detail))
}

func (d *decoder) origin(path string, v *Value) {
	if d.origins != nil && v != nil {
		d.origins[path] = v.Origin + " (" + d.shown(v.Range) + ")"
	}
}

func (d *decoder) postpone(path string) {
	d.deferred = append(d.deferred, path+": known at launch")
}

// plain evaluates v; secrets are refused. ok is false after an error and for
// null.
func (d *decoder) plain(path string, v *Value) (cty.Value, bool) {
	val, diags := d.e.value(v)
	d.diags = append(d.diags, diags...)
	if diags.HasErrors() {
		return cty.NilVal, false
	}
	if val.ContainsMarked() {
		d.fail(v.Range, "A secret may not stand here",
			fmt.Sprintf("%s is shown to everyone who can read the job. Put the secret into secrets = { NAME = ... } "+
				"and let the step read the environment variable NAME.", path))
		return cty.NilVal, false
	}
	return val, !val.IsNull()
}

// pick is the highest value that is not null. Lower ones are not evaluated:
// what was replaced cannot fail. A value that failed or is unknown wins too,
// without a known value.
func (d *decoder) pick(path string, values []*Value) winner {
	for level := len(values) - 1; level >= 0; level-- {
		v := values[level]
		if v == nil {
			continue
		}
		before := len(d.diags)
		val, ok := d.plain(path, v)
		if !ok && !d.diags[before:].HasErrors() {
			continue // null: not set at this level
		}
		if !ok {
			return winner{v, cty.DynamicVal, level}
		}
		d.origin(path, v)
		if !val.IsWhollyKnown() {
			d.postpone(path)
		}
		return winner{v, val, level}
	}
	return winner{}
}

// text is a string; numbers and bools become one when their text is exact.
func (d *decoder) text(path string, w winner) string {
	if !w.known() {
		return ""
	}
	s, ok := d.exactText(path, w.val, w.expr, w.Range)
	if !ok {
		return ""
	}
	return s
}

// rawText is a text of the command line. cty normalizes texts (NFC); argv and
// environment variables must arrive byte for byte.
type rawText struct {
	*hclsyntax.LiteralValueExpr
	text string
}

func newRawText(text string, r hcl.Range) *rawText {
	return &rawText{&hclsyntax.LiteralValueExpr{Val: cty.StringVal(text), SrcRange: r}, text}
}

// exactText is a scalar's text, exactly as it was written. expr may be nil.
func (d *decoder) exactText(path string, val cty.Value, expr hcl.Expression, r hcl.Range) (string, bool) {
	switch {
	case val.IsNull():
		d.fail(r, "Text required", path+" is null.")
		return "", false
	case val.Type() == cty.String:
		s := val.AsString()
		if raw, ok := expr.(*rawText); ok {
			s = raw.text
		}
		if strings.IndexByte(s, 0) >= 0 {
			d.fail(r, "NUL byte", path+" holds a NUL byte, which no process can be given.")
			return "", false
		}
		if !utf8.ValidString(s) {
			d.fail(r, "Not UTF-8", path+" is not UTF-8 text.")
			return "", false
		}
		return s, true
	case val.Type() == cty.Bool:
		if val.True() {
			return "true", true
		}
		return "false", true
	case val.Type() == cty.Number:
		s := numberText(val.AsBigFloat())
		if written := d.written(r); s == "" || isNumber(written) && written != s {
			d.fail(r, "Number is not exact as text", fmt.Sprintf(
				"%s must be a text, and this number would not become exactly what was written. Put it in quotes.", path))
			return "", false
		}
		return s, true
	}
	d.fail(r, "Text required", fmt.Sprintf("%s must be a text, not %s.", path, typeName(val.Type())))
	return "", false
}

// written is the source text of a range, or "".
func (d *decoder) written(r hcl.Range) string {
	src := d.e.sources.Bytes(r.Filename)
	if src == nil || !r.CanSliceBytes(src) {
		return ""
	}
	return string(r.SliceBytes(src))
}

func isNumber(s string) bool {
	return len(s) > 0 && s[0] >= '0' && s[0] <= '9'
}

// numberText is the decimal text of f when it is short enough to be meant; ""
// for the likes of 1/3.
func numberText(f *big.Float) string {
	if f.IsInf() {
		return ""
	}
	if f.IsInt() {
		if f.MantExp(nil) > 4096 {
			return ""
		}
		return f.Text('f', 0)
	}
	const digits = 40
	if e := f.MantExp(nil); e < -400 || e > 400 {
		return ""
	}
	if s := f.Text('f', -1); len(s) <= digits {
		return s
	}
	return ""
}

// flag is a bool.
func (d *decoder) flag(path string, w winner) bool {
	if !w.known() {
		return false
	}
	val, err := convert.Convert(w.val, cty.Bool)
	if err != nil {
		d.fail(w.Range, "true or false required", path+" must be true or false.")
		return false
	}
	return val.True()
}

// count is a whole number from least on.
func (d *decoder) count(path string, w winner, least int64) int64 {
	if !w.known() {
		return 0
	}
	val, err := convert.Convert(w.val, cty.Number)
	if err != nil {
		d.fail(w.Range, "Whole number required", fmt.Sprintf("%s must be a whole number, not %s.", path, typeName(w.val.Type())))
		return 0
	}
	// Far above any cluster, far below what a backend's int32 cannot hold.
	const most = 1_000_000
	n, acc := val.AsBigFloat().Int64()
	if acc != big.Exact || n < least || n > most {
		d.fail(w.Range, "Whole number required", fmt.Sprintf("%s must be a whole number from %d to %d.", path, least, int64(most)))
		return 0
	}
	return n
}

// measure reads a size or a number of cores, given as a number or a text.
func (d *decoder) measure(path string, w winner, parse func(string) (int64, error)) int64 {
	if !w.known() {
		return 0
	}
	var s string
	switch w.val.Type() {
	case cty.String:
		s = w.val.AsString()
	case cty.Number:
		if s = numberText(w.val.AsBigFloat()); s == "" {
			d.fail(w.Range, "Not exact", path+" is no exact number.")
			return 0
		}
	default:
		d.fail(w.Range, "Wrong type", fmt.Sprintf("%s must be a number or a text such as \"16GiB\", not %s.", path, typeName(w.val.Type())))
		return 0
	}
	n, err := parse(s)
	if err != nil {
		d.fail(w.Range, "Invalid "+lastWord(path), err.Error()+".")
	}
	return n
}

// duration reads "2h".
func (d *decoder) duration(path string, w winner) time.Duration {
	if !w.known() {
		return 0
	}
	s := ""
	switch w.val.Type() {
	case cty.String:
		s = w.val.AsString()
	case cty.Number:
		s = numberText(w.val.AsBigFloat())
	default:
		d.fail(w.Range, "Wrong type", fmt.Sprintf("%s must be a duration such as \"20m\", not %s.", path, typeName(w.val.Type())))
		return 0
	}
	out, err := ParseDuration(s)
	if err != nil {
		d.fail(w.Range, "Invalid duration", err.Error()+".")
	}
	return out
}

// texts is a list of texts. hint explains what to write instead of one text.
func (d *decoder) texts(path string, w winner, hint func(text string) string) []string {
	if !w.known() {
		return nil
	}
	ty := w.val.Type()
	if ty == cty.String {
		d.fail(w.Range, "List required", fmt.Sprintf("%s must be a list of texts. %s", path, hint(w.val.AsString())))
		return nil
	}
	if !ty.IsTupleType() && !ty.IsListType() && !ty.IsSetType() {
		d.fail(w.Range, "List required", fmt.Sprintf("%s must be a list of texts, not %s.", path, typeName(ty)))
		return nil
	}
	exprs := elements(w.expr)
	out := make([]string, 0, w.val.LengthInt())
	for it := w.val.ElementIterator(); it.Next(); {
		_, el := it.Element()
		r, expr := w.Range, hcl.Expression(nil)
		if len(out) < len(exprs) {
			expr = exprs[len(out)]
			r = expr.Range()
		}
		s, _ := d.exactText(fmt.Sprintf("%s[%d]", path, len(out)), el, expr, r)
		out = append(out, s)
	}
	return out
}

// elements are the elements of a list that is written out.
func elements(expr hcl.Expression) []hcl.Expression {
	if expr == nil {
		return nil
	}
	list, diags := hcl.ExprList(expr)
	if diags.HasErrors() {
		return nil
	}
	return list
}

// path is a file or directory, absolute, and as written.
func (d *decoder) path(name string, w winner) (abs, written string) {
	written = d.text(name, w)
	if written == "" {
		if w.known() && w.val.Type() == cty.String {
			d.fail(w.Range, "Empty path", name+` is empty; "." is the directory of this file.`)
		}
		return "", ""
	}
	if filepath.IsAbs(written) {
		return filepath.Clean(written), written
	}
	if written == "~" || strings.HasPrefix(written, "~/") {
		d.fail(w.Range, "No home directory in paths", fmt.Sprintf(
			`"~" is not expanded. Write %s, or a path relative to this file.`, "\"${env(\"HOME\")}"+written[1:]+"\""))
		return "", ""
	}
	return filepath.Join(w.in.dir, written), written
}

var platformPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[a-z0-9]+/[a-z0-9_]+(/v[0-9]+)?$`)
})

// typeName is a type in a newcomer's words.
func typeName(ty cty.Type) string {
	switch {
	case ty == cty.String:
		return "a text"
	case ty == cty.Number:
		return "a number"
	case ty == cty.Bool:
		return "true or false"
	case ty.IsTupleType(), ty.IsListType(), ty.IsSetType():
		return "a list"
	case ty.IsObjectType(), ty.IsMapType():
		return "a map"
	}
	return ty.FriendlyName()
}

func lastWord(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }
