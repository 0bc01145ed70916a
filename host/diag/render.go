package diag

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcled"
)

// TextOptions say how WriteText writes.
type TextOptions struct {
	// Color switches ANSI colours on.
	Color bool
	// Width wraps the text at so many columns; 0 = 78.
	Width int
}

const (
	defaultWidth = 78
	// maxLine is how many characters of a source line are shown.
	maxLine = 120
	// maxLines is how many lines of a long place are shown.
	maxLines = 4
	// maxText bounds summary and detail.
	maxText = 8 << 10
)

// WriteText writes diagnostics for people: severity, summary, place, the lines
// of source with the place marked, detail. At most MaxShown are written, then
// their number. Control characters of sources and texts do not reach w.
func (s *Sources) WriteText(w io.Writer, diags hcl.Diagnostics, o TextOptions) error {
	if o.Width <= 0 {
		o.Width = defaultWidth
	}
	diags = s.Explain(diags)
	var b bytes.Buffer
	for i, d := range diags {
		if i == MaxShown {
			fmt.Fprintf(&b, "... and %d more.\n", len(diags)-MaxShown)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		s.writeOne(&b, d, o)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func (s *Sources) writeOne(b *bytes.Buffer, d *hcl.Diagnostic, o TextOptions) {
	word, color := "Error", "\x1b[1;31m"
	if d.Severity == hcl.DiagWarning {
		word, color = "Warning", "\x1b[1;33m"
	}
	bold, reset := "\x1b[1m", "\x1b[0m"
	if !o.Color {
		color, bold, reset = "", "", ""
	}
	fmt.Fprintf(b, "%s%s:%s %s%s%s\n", color, word, reset, bold, clean(d.Summary, false), reset)
	if d.Subject != nil {
		fmt.Fprintf(b, "  on %s\n", clean(s.place(d), false))
		for _, line := range s.snippet(d) {
			if o.Color && line.mark {
				fmt.Fprintf(b, "%s%s%s\n", color, line.text, reset)
				continue
			}
			b.WriteString(line.text + "\n")
		}
	}
	if detail := clean(d.Detail, true); detail != "" {
		wrap(b, detail, o.Width)
	}
}

// place is for example `stephost.hcl line 3, in step "train":`.
func (s *Sources) place(d *hcl.Diagnostic) string {
	r := *d.Subject
	src := s.get(r.Filename)
	switch {
	case strings.HasPrefix(r.Filename, "-"): // a flag
		return "the command line, " + r.Filename + ":"
	case r.Start.Line <= 0 || len(src.bytes) == 0:
		return r.Filename + ":"
	}
	text := fmt.Sprintf("%s line %d", r.Filename, r.Start.Line)
	if _, secret := d.Extra.(Secret); src.file != nil && !secret {
		if in := hcled.ContextString(src.file, r.Start.Byte); in != "" {
			text += ", in " + in
		}
	}
	return text + ":"
}

type snippetLine struct {
	text string
	mark bool
}

// snippet is the source lines of d's subject with a line of carets below the
// first.
func (s *Sources) snippet(d *hcl.Diagnostic) []snippetLine {
	src := s.Bytes(d.Subject.Filename)
	start, end := d.Subject.Start.Byte, d.Subject.End.Byte
	if len(src) == 0 || start < 0 || start > end || end > len(src) || bytes.IndexByte(src, 0) >= 0 {
		return nil
	}
	from := bytes.LastIndexByte(src[:start], '\n') + 1
	number := d.Subject.Start.Line
	var out []snippetLine
	if _, secret := d.Extra.(Secret); secret {
		before, name := src[from:start], src[start:end]
		if i := bytes.IndexByte(name, '\n'); i >= 0 {
			name = name[:i]
		}
		indent := before[:len(before)-len(bytes.TrimLeft(before, " \t"))]
		return lines(number, string(indent)+string(name)+" ...", len(indent), len(indent)+len(name))
	}
	for n := 0; n < maxLines; n++ {
		to := len(src)
		if i := bytes.IndexByte(src[from:], '\n'); i >= 0 {
			to = from + i
		}
		line := string(bytes.TrimRight(src[from:to], "\r"))
		if n == 0 {
			out = append(out, lines(number, line, start-from, min(end-from, len(line)))...)
		} else {
			out = append(out, lines(number+n, line, -1, -1)...)
		}
		if to >= end || to == len(src) {
			return out
		}
		from = to + 1
	}
	return append(out, snippetLine{text: "      ..."})
}

// lines is one numbered line, cut around the bytes [start, end), with the carets.
func lines(number int, line string, start, end int) []snippetLine {
	const mark = "..."
	if start > len(line) {
		start, end = len(line), len(line)
	}
	marked := start >= 0
	if marked && start > maxLine-20 && len(line) > maxLine {
		cut := start - 40
		for cut > 0 && !utf8.RuneStart(line[cut]) {
			cut--
		}
		line, start, end = mark+line[cut:], start-cut+len(mark), end-cut+len(mark)
	}
	if len(line) > maxLine {
		cut := maxLine
		for cut > 0 && !utf8.RuneStart(line[cut]) {
			cut--
		}
		line, end = line[:cut]+mark, min(end, cut)
	}
	head := fmt.Sprintf("%4d: ", number)
	out := []snippetLine{{text: head + clean(line, false)}}
	if !marked {
		return out
	}
	pad := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, clean(line[:min(start, len(line))], false))
	carets := 1
	if end > start {
		carets = max(1, utf8.RuneCountInString(line[start:min(end, len(line))]))
	}
	return append(out, snippetLine{text: strings.Repeat(" ", len(head)) + pad + strings.Repeat("^", carets), mark: true})
}

// clean bounds s and replaces what could change a terminal's state.
func clean(s string, newlines bool) string {
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + " ... (cut)"
	}
	return strings.Map(func(r rune) rune {
		if r == '\t' || newlines && r == '\n' || !unicode.IsControl(r) {
			return r
		}
		if r == '\n' {
			return ' '
		}
		return '\ufffd'
	}, s)
}

// wrap writes text indented by two, broken at words. Lines that begin with a
// space are code and stay as they are.
func wrap(b *bytes.Buffer, text string, width int) {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
			b.WriteString("  " + line + "\n")
			continue
		}
		column := 0
		for _, word := range strings.Fields(line) {
			n := utf8.RuneCountInString(word)
			switch {
			case column == 0:
				b.WriteString("  ")
				column = 2
			case column+1+n > width:
				b.WriteString("\n  ")
				column = 2
			default:
				b.WriteByte(' ')
				column++
			}
			b.WriteString(word)
			column += n
		}
		b.WriteByte('\n')
	}
}
