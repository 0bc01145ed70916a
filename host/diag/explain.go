package diag

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Explain rewrites the texts of diagnostics that newcomers meet into what to
// write instead, and orders them by file and place (the HCL library reports
// unexpected names in no order). WriteText and JSON do it by themselves;
// explaining twice changes nothing.
func (s *Sources) Explain(diags hcl.Diagnostics) hcl.Diagnostics {
	if len(diags) == 0 {
		return diags
	}
	out := make(hcl.Diagnostics, 0, len(diags))
	for _, d := range diags {
		if d != nil {
			out = append(out, s.explain(d))
		}
	}
	order := map[string]int{}
	for _, d := range out {
		if _, seen := order[fileOf(d)]; !seen {
			order[fileOf(d)] = len(order)
		}
	}
	slices.SortStableFunc(out, func(a, b *hcl.Diagnostic) int {
		return cmp.Or(cmp.Compare(order[fileOf(a)], order[fileOf(b)]), cmp.Compare(offsetOf(a), offsetOf(b)))
	})
	return out
}

func fileOf(d *hcl.Diagnostic) string {
	if d.Subject == nil {
		return ""
	}
	return d.Subject.Filename
}

func offsetOf(d *hcl.Diagnostic) int {
	if d.Subject == nil {
		return 0
	}
	return d.Subject.Start.Byte
}

// explain returns d or a rewritten copy of it. New summaries match no case, so
// that explaining again does nothing.
func (s *Sources) explain(d *hcl.Diagnostic) *hcl.Diagnostic {
	rewrite := func(summary, detail string) *hcl.Diagnostic {
		c := *d
		c.Summary, c.Detail = summary, detail
		return &c
	}
	subject, before := s.around(d)
	switch d.Summary {
	case "Invalid single-argument block definition":
		return rewrite("A block on one line holds one attribute",
			"Write each attribute on a line of its own, and the closing brace too:\n"+
				"  "+blockHeader(before)+"\n    first  = \"...\"\n    second = \"...\"\n  }")
	case "Invalid template control keyword":
		return rewrite("\"%{\" starts a template directive",
			"In a string, %{ ... } is stephost's own template syntax. To write the characters as they are, double the percent sign: %%{")
	case "Invalid escape sequence":
		if strings.HasPrefix(subject, `\`) {
			return rewrite("Unknown escape "+subject+" in a string",
				"In quotes a backslash starts an escape. For a backslash itself (in a regular expression or a Windows path) write two: \\"+subject)
		}
	case "Variables not allowed", "Unknown variable":
		if !isName(subject) {
			return d
		}
		trimmed := strings.TrimRight(before, " \t")
		switch {
		case strings.HasSuffix(trimmed, "${"):
			return rewrite("\"${\" in a string starts a template",
				cmp.Or(reason(d), "No variables are known here.")+
					" To hand the text to the step as it is (for its shell), double the dollar sign: $${"+subject)
		case strings.HasSuffix(trimmed, "="), strings.HasSuffix(trimmed, "["), strings.HasSuffix(trimmed, ","):
			return rewrite("\""+subject+"\" is no known name", cmp.Or(reason(d), "No variables are known here.")+
				" If it is meant as text, put it in quotes: \""+subject+"\".")
		}
	case "Missing newline after argument":
		// run = 2h
		if number, unit := lastWord(before), subject; number != "" && number[0] >= '0' && number[0] <= '9' && isName(unit) {
			return rewrite("A number with a unit must be in quotes", "Write \""+number+unit+"\".")
		}
	case "Unsupported argument":
		switch subject {
		case "apt", "apt_packages", "apk", "yum", "dnf", "conda", "conda_packages", "system_packages":
			return rewrite("System packages cannot be added to an image",
				"stephost writes layers and runs nothing in them, so there is nobody to install "+subject+". "+
					"Use a base_image that has the packages, or dockerfile = \"Dockerfile\" with a RUN line of your own.")
		}
		if block, ok := after(d.Detail, "Did you mean to define a block of type "); ok {
			name := strings.Trim(block, `"?`)
			return rewrite("\""+name+"\" is a block", "Write it without an equals sign:\n  "+name+" {\n    ...\n  }")
		}
	case "Unsupported block type":
		if arg, ok := after(d.Detail, "Did you mean to define argument "); ok {
			name, _, _ := strings.Cut(strings.TrimPrefix(arg, `"`), `"`)
			return rewrite("\""+name+"\" is an attribute", "Write it with an equals sign:\n  "+name+" = ...\n"+
				"and, when it is a map: "+name+" = { KEY = \"value\" }")
		}
	}
	return d
}

// reason is the HCL library's own detail where it says more than that there is
// no variable.
func reason(d *hcl.Diagnostic) string {
	if d.Detail == "Variables may not be used here." {
		return ""
	}
	return d.Detail
}

func after(s, mark string) (string, bool) {
	_, rest, found := strings.Cut(s, mark)
	return rest, found
}

// around is the text of d's subject (bounded) and the text before it on its
// line.
func (s *Sources) around(d *hcl.Diagnostic) (subject, before string) {
	const longest = 200
	if d.Subject == nil {
		return "", ""
	}
	src := s.Bytes(d.Subject.Filename)
	start, end := d.Subject.Start.Byte, d.Subject.End.Byte
	if start < 0 || end > len(src) || start > end || end-start > longest {
		return "", ""
	}
	line := bytes.LastIndexByte(src[:start], '\n') + 1
	return string(src[start:end]), string(src[max(line, start-longest):start])
}

// blockHeader is the start of a line up to its "{", as the example shows it.
func blockHeader(line string) string {
	head, _, found := strings.Cut(line, "{")
	if !found || strings.TrimSpace(head) == "" {
		return "name {"
	}
	return strings.TrimSpace(head) + " {"
}

func lastWord(s string) string {
	return s[strings.LastIndexAny(s, " \t=")+1:]
}

func isName(s string) bool {
	for i, c := range s {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c != '-' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}
