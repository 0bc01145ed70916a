package cli

import (
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/registry"
	"github.com/stephost/stephost/host/schema"
)

// attrs turns the given texts into attributes of the operator's block, with all
// diagnostics at once. at is where an attribute stands already; may be nil.
func (o *operatorFlags) attrs(opt project.FlagOptions, at map[string]string) ([]registry.Attr, hcl.Diagnostics) {
	var out []registry.Attr
	var diags hcl.Diagnostics
	first := map[string]given{} // by path
	var stdin *given
	for _, g := range o.given {
		attr, path := o.find(g.name)
		if attr == nil && path == "" {
			diags = append(diags, o.unknown(g, opt.Sources))
			continue
		}
		made := registry.Attr{Path: path}
		if attr != nil {
			if made.Path = at[attr.Name]; made.Path == "" {
				made.Path = "config." + attr.Name
			}
		}
		if f, twice := first[made.Path]; twice {
			diags = append(diags, givenTwice(f, g, attr, opt.Sources))
			continue
		}
		first[made.Path] = g
		if attr != nil && g.text == "-" && !attr.Sensitive {
			if stdin != nil {
				diags = append(diags, atFlag(g, "-", opt.Sources, "Standard input is read once",
					fmt.Sprintf("%s=- and %s=- cannot both have it. Give one of them with @FILE.", stdin.flag, g.flag)))
				continue
			}
			stdin = &g
		}
		if attr != nil {
			text, found := project.AttributeFlag(attr, g.flag, g.text, opt)
			if diags = append(diags, found...); found.HasErrors() {
				continue
			}
			made.Expr, made.Value = text.Expression, text.Value
		} else if !utf8.ValidString(g.text) {
			diags = append(diags, atFlag(g, g.text, opt.Sources, "Not UTF-8 text", g.flag+" takes UTF-8 text."))
			continue
		} else {
			opt.Sources.Add(g.flag, []byte(g.text))
			made.Value = plainValue(path, g.text, opt.Dir)
		}
		out = append(out, made)
	}
	return out, diags
}

// givenTwice refuses a second value for one place: an operator has one of each, so
// nobody overrides anything here. attr may be nil.
func givenTwice(first, second given, attr *schema.Attribute, sources *diag.Sources) *hcl.Diagnostic {
	shown := func(g given) string {
		if attr != nil && attr.Sensitive {
			return g.flag
		}
		return g.flag + "=" + strconv.Quote(problem.Bound(g.text, 40))
	}
	text := second.text
	if attr != nil && attr.Sensitive {
		text = second.name
	}
	return atFlag(second, text, sources, "Given twice", fmt.Sprintf("%s and %s are for one and the same value. Leave one of them out.", shown(first), shown(second)))
}

// atFlag is an error about a flag, which is shown with text.
func atFlag(g given, text string, sources *diag.Sources, summary, detail string) *hcl.Diagnostic {
	sources.Add(g.flag, []byte(text))
	r := schema.TextRange(g.flag, text)
	return &hcl.Diagnostic{Severity: hcl.DiagError, Subject: &r, Summary: summary, Detail: detail}
}
