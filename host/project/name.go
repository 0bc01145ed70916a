package project

import (
	"fmt"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// Name is what the project is called: what `project { name = "..." }` says, else
// the directory of its first file. It is the same from every directory below, as
// long as nobody renames that one. "" where there is no project file, or one from
// standard input alone that does not say it. One line of UTF-8, at most maxName
// bytes. It works on a nil project.
func (p *Project) Name() string {
	if p == nil {
		return ""
	}
	return p.name
}

// decodeProject reads the project block.
func (l *loader) decodeProject(b *hcl.Block, in unit, d *decoder) {
	if l.projectRange != nil {
		l.fail(b.DefRange, "Declared twice", fmt.Sprintf("A project has one project block; the first is at %s.", place(*l.projectRange)))
		return
	}
	r := b.DefRange
	l.projectRange = &r
	content, diags := b.Body.Content(projectSchema())
	l.add(diags)
	a := content.Attributes["name"]
	if a == nil {
		return
	}
	before := len(d.diags)
	w := d.pick("project.name", []*Value{attributeValue(a, "project", in)})
	failed := func() bool { return d.diags[before:].HasErrors() }
	if !w.set() || failed() {
		return
	}
	if !w.val.IsWhollyKnown() {
		l.fail(w.Range, "Project name must be known", "Every command asks the backend under this name, so it cannot come from env() and its like; use a variable and --var.")
		return
	}
	name := d.text("project.name", w)
	if failed() {
		return
	}
	if complaint := stepName("the name of the project", name); complaint != "" {
		l.fail(w.Range, "Invalid name", complaint+".")
		return
	}
	l.project.name = name
}

// nameOf makes a project's name of its directory. What no one-line text of the
// contract can hold is replaced: a directory may have any bytes in its name.
func nameOf(dir string) string {
	name := filepath.Base(dir)
	if name == "." || name == string(filepath.Separator) {
		return "" // the root of a file system has no name
	}
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(name, string(utf8.RuneError)))
	// As a name that is written: some file systems take characters apart.
	name = strings.TrimSpace(cty.NormalizeString(name))
	for len(name) > maxName {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	return name
}
