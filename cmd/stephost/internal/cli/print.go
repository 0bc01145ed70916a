package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/problem"
)

// document is the shape of JSON output that is not a stream: {v, items | item,
// diagnostics}. docs/json-output.md describes it; v changes when a field goes
// away or changes its meaning.
type document struct {
	Version     int                   `json:"v"`
	Items       any                   `json:"items,omitempty"`
	Item        any                   `json:"item,omitempty"`
	Diagnostics []diag.JSONDiagnostic `json:"diagnostics,omitempty"`
	Error       *jsonError            `json:"error,omitempty"`
}

// jsonError is a problem for programs.
type jsonError struct {
	Summary  string `json:"summary"`
	Detail   string `json:"detail,omitempty"`
	Next     string `json:"next,omitempty"`
	Flavor   string `json:"flavor,omitempty"`
	Operator string `json:"operator,omitempty"`
	Run      string `json:"run,omitempty"`
	Phase    string `json:"phase,omitempty"`
	Class    string `json:"class,omitempty"`
}

// documentVersion is v of document.
const documentVersion = 1

// item prints one thing: as JSON, or with text.
func (a *app) item(v any, text func(io.Writer) error) error {
	if a.json() {
		return a.encode(document{Version: documentVersion, Item: v})
	}
	return text(a.stdout)
}

// items prints a list: as JSON, or as a table. None is said on stderr.
func (a *app) items(v any, n int, none string, head []string, row func(i int) []string) error {
	if a.json() {
		return a.encode(document{Version: documentVersion, Items: v})
	}
	if n == 0 {
		_, err := fmt.Fprintln(a.stderr, none)
		return err
	}
	return table(a.stdout, head, n, row)
}

func (a *app) encode(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// table prints aligned columns.
func table(w io.Writer, head []string, n int, row func(i int) []string) error {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(head, "\t"))
	for i := range n {
		fmt.Fprintln(t, strings.Join(row(i), "\t"))
	}
	_ = t.Flush() // into memory
	for line := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// say prints a line of stephost's own, to stderr.
func (a *app) say(format string, args ...any) {
	if !a.json() {
		fmt.Fprintf(a.stderr, format+"\n", args...)
	}
}

// warn prints a sentence that a person should see, to stderr. JSON documents
// carry warnings themselves.
func (a *app) warn(text string) {
	if !a.json() {
		fmt.Fprintf(a.stderr, "%s %s\n", paint(a.stderr, bold, "Warning:"), harmless(text))
	}
}

// done says what a command has done.
func (a *app) done(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return a.item(map[string]string{"done": text}, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, text)
		return err
	})
}

// problem prints an error: diagnostics with their snippets, everything else
// with its subject and what to do next. With --output json it is a document on
// stdout.
func (a *app) problem(err error) {
	var diags hcl.Diagnostics
	if errors.As(err, &diags) {
		a.diagnostics(diags)
		return
	}
	p := problem.Of(err)
	if a.json() {
		_ = a.encode(document{Version: documentVersion, Error: &jsonError{Summary: p.Error(), Detail: p.Detail, Next: p.Next,
			Flavor: p.Flavor, Operator: p.Operator, Run: p.Run, Phase: p.Phase, Class: string(p.Class)}})
		return
	}
	fmt.Fprintf(a.stderr, "%s %s\n", paint(a.stderr, red, "Error:"), harmless(p.Error()))
	if p.Detail != "" {
		fmt.Fprintln(a.stderr, indent(harmless(p.Detail)))
	}
	if p.Next != "" {
		fmt.Fprintf(a.stderr, "%s %s\n", paint(a.stderr, bold, "Next:"), harmless(p.Next))
	}
}

// diagnostics prints errors and warnings about what a person wrote.
func (a *app) diagnostics(diags hcl.Diagnostics) {
	if len(diags) == 0 {
		return
	}
	sources := &diag.Sources{}
	if a.cat != nil {
		sources = a.cat.Sources()
	}
	if a.json() {
		_ = a.encode(document{Version: documentVersion, Diagnostics: sources.JSON(diags)})
		return
	}
	_ = sources.WriteText(a.stderr, diags, diag.TextOptions{Color: color(a.stderr)})
}

// noPlace is how the text of diagnostics begins that have no place.
const noPlace = "<nil>: "

// errorText is an error in one bounded paragraph, for lists.
func errorText(err error) string {
	const limit = 2000
	var diags hcl.Diagnostics
	if !errors.As(err, &diags) {
		return problem.Bound(strings.TrimPrefix(err.Error(), noPlace), limit)
	}
	var parts []string
	for _, d := range diags {
		text := strings.TrimSuffix(d.Summary, ".") + ". " + d.Detail
		if d.Subject != nil {
			text = fmt.Sprintf("line %d: %s", d.Subject.Start.Line, text)
		}
		parts = append(parts, strings.TrimSpace(text))
	}
	return problem.Bound(strings.Join(strings.Fields(strings.Join(parts, " ")), " "), limit)
}

const (
	red  = "31"
	bold = "1"
	dim  = "2"
)

// paint wraps text in a colour where w takes it.
func paint(w io.Writer, code, text string) string {
	if !color(w) {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ")
}

// oneLine makes text of a backend harmless for a terminal line: no line ends, no
// control characters.
func oneLine(text string) string {
	return strings.NewReplacer("\n", " ", "\t", " ").Replace(harmless(strings.TrimSpace(text)))
}

// harmless is oneLine for text of several lines.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t':
			return r
		case unicode.IsControl(r), r == utf8.RuneError:
			return -1
		}
		return r
	}, text)
}
