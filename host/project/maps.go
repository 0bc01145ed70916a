package project

import (
	"fmt"
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

// byKey collects a map over all levels: for each key one value per level, nil
// where the level does not have it. check says what is wrong with a key.
func (d *decoder) byKey(path string, levels []*Value, check func(string) string) map[string][]*Value {
	out := map[string][]*Value{}
	for level, v := range levels {
		if v == nil {
			continue
		}
		d.entriesOf(path, v, func(key string, keyRange hcl.Range, el *Value) {
			if complaint := check(key); complaint != "" {
				d.fail(keyRange, "Invalid name", fmt.Sprintf("%s: %s.", path, complaint))
				return
			}
			if out[key] == nil {
				out[key] = make([]*Value, len(levels))
			}
			out[key][level] = el
		})
	}
	return out
}

// entriesOf calls f for each key of a map. A map that is written out gives
// each element its own place; of a computed one the whole is the place.
func (d *decoder) entriesOf(path string, v *Value, f func(string, hcl.Range, *Value)) {
	if pairs, diags := hcl.ExprMap(v.expr); v.expr != nil && !diags.HasErrors() {
		first := map[string]hcl.Range{}
		for _, p := range pairs {
			key, ok := d.key(path, p.Key, v.in)
			if !ok {
				continue
			}
			if r, twice := first[key]; twice {
				d.fail(p.Key.Range(), "Written twice", fmt.Sprintf("%s has %q twice; the first is at %s.", path, key, place(r)))
				continue
			}
			first[key] = p.Key.Range()
			el := &Value{Name: key, Origin: v.Origin, expr: p.Value, NameRange: p.Key.Range(), Range: p.Value.Range(), in: v.in}
			f(key, p.Key.Range(), el)
		}
		return
	}
	// Keys are needed, values are not: unknown ones and secrets may stay.
	val, diags := d.shadow.value(v)
	d.diags = append(d.diags, diags...)
	if diags.HasErrors() {
		return
	}
	if val, _ = val.Unmark(); !val.IsKnown() && d.stage == schema.StageLaunch {
		val, diags = d.e.value(v)
		d.diags = append(d.diags, diags...)
		val, _ = val.Unmark()
	}
	switch ty := val.Type(); {
	case val.IsNull():
		return
	case !val.IsKnown():
		d.postpone(path)
		return
	case ty.IsTupleType() || ty.IsListType() || !ty.IsObjectType() && !ty.IsMapType():
		d.fail(v.Range, "Map required", fmt.Sprintf("%s must be a map such as { NAME = \"value\" }, not %s.", path, typeName(ty)))
		return
	}
	for it := val.ElementIterator(); it.Next(); {
		key, _ := it.Element()
		f(key.AsString(), v.Range, v.element(key.AsString()))
	}
}

// keysTwice finds keys that stand twice in one map or object of an expression: HCL
// takes the last one. at says where the first one is.
func keysTwice(name string, x hclsyntax.Node, at func(hcl.Range) string) hcl.Diagnostics {
	return hclsyntax.VisitAll(x, func(n hclsyntax.Node) hcl.Diagnostics {
		obj, ok := n.(*hclsyntax.ObjectConsExpr)
		if !ok {
			return nil
		}
		var out hcl.Diagnostics
		first := map[string]hcl.Range{}
		for _, item := range obj.Items {
			key, diags := diag.Evaluate(item.KeyExpr, nil)
			if diags.HasErrors() || key.IsNull() || key.Type() != cty.String {
				continue
			}
			text, r := key.AsString(), item.KeyExpr.Range()
			if before, twice := first[text]; twice {
				out = append(out, errorAt(r, "Written twice", fmt.Sprintf("%s has %q twice; the first is at %s.", name, problem.Bound(text, 100), at(before))))
				continue
			}
			first[text] = r
		}
		return out
	})
}

// key is the text of a map key.
func (d *decoder) key(path string, expr hcl.Expression, in unit) (string, bool) {
	val, diags := d.e.expression(expr, in)
	d.diags = append(d.diags, diags...)
	if diags.HasErrors() {
		return "", false
	}
	if val.IsMarked() {
		d.fail(expr.Range(), "A secret may not stand here", path+": a name is never secret.")
		return "", false
	}
	if !val.IsKnown() {
		d.postpone(path + ": a name")
		return "", false
	}
	return d.exactText(path+": a name", val, expr, expr.Range())
}

// textMap picks the texts of a map that byKey collected; check says what is
// wrong with one. levels tells at which level each was found.
func (d *decoder) textMap(path string, byKey map[string][]*Value, check func(string) string) (texts map[string]string, levels map[string]winner) {
	texts, levels = map[string]string{}, map[string]winner{}
	for _, key := range sortedKeys(byKey) {
		at := path + "." + key
		w := d.pick(at, byKey[key])
		if !w.set() {
			continue
		}
		levels[key] = w
		if !w.val.IsWhollyKnown() {
			texts[key] = LaunchTime
			continue
		}
		s, ok := d.exactText(at, w.val, w.expr, w.Range)
		if !ok {
			continue
		}
		if complaint := check(s); complaint != "" {
			d.fail(w.Range, "Invalid value", fmt.Sprintf("%s: %s.", at, complaint))
			continue
		}
		texts[key] = s
	}
	return texts, levels
}

func anyText(string) string { return "" }

// envName says what is wrong with the name of an environment variable.
func envName(name string) string {
	switch {
	case name == "":
		return "an environment variable needs a name"
	case len(name) > 255:
		return "the name of an environment variable has at most 255 bytes"
	case strings.ContainsAny(name, "=\x00"):
		return fmt.Sprintf("%s: the name of an environment variable holds neither = nor NUL", quote(name))
	case strings.HasPrefix(strings.ToUpper(name), "STEPHOST_"):
		return fmt.Sprintf("%s: names that begin with STEPHOST_ are stephost's own", quote(name))
	}
	for _, r := range name {
		if unicode.IsSpace(r) || unicode.IsControl(r) || r == utf8.RuneError {
			return fmt.Sprintf("%s: the name of an environment variable holds no blanks and no control characters", quote(name))
		}
	}
	return ""
}

// labelName says what is wrong with the name of a label.
func labelName(name string) string {
	if name == "" {
		return "a label needs a name"
	}
	return oneLine("a label's name", name, 128)
}

// labelValue says what is wrong with a label's value.
func labelValue(value string) string { return oneLine("a label's value", value, 1024) }

// oneLine says what is wrong with a short text that backends show.
func oneLine(what, text string, most int) string {
	if len(text) > most {
		return fmt.Sprintf("%s has at most %d bytes", what, most)
	}
	for _, r := range text {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return fmt.Sprintf("%s holds no control characters and is UTF-8: %s", what, quote(text))
		}
	}
	return ""
}
