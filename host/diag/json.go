package diag

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// JSONDiagnostic is one diagnostic for programs.
type JSONDiagnostic struct {
	Severity string     `json:"severity"` // "error" or "warning"
	Summary  string     `json:"summary"`
	Detail   string     `json:"detail,omitempty"`
	Range    *JSONRange `json:"range,omitempty"`
	// Snippet is the line of source, with carets below the place.
	Snippet string `json:"snippet,omitempty"`
}

// JSONRange is a place in a source. Lines and columns count from 1, columns in
// characters; the end is exclusive.
type JSONRange struct {
	File  string  `json:"file"`
	Start JSONPos `json:"start"`
	End   JSONPos `json:"end"`
}

// JSONPos is a position in a source.
type JSONPos struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

// JSON gives all diagnostics in the form that --output json prints. The slice
// is never nil.
func (s *Sources) JSON(diags hcl.Diagnostics) []JSONDiagnostic {
	diags = s.Explain(diags)
	out := make([]JSONDiagnostic, 0, len(diags))
	for _, d := range diags {
		j := JSONDiagnostic{Severity: "error", Summary: clean(d.Summary, false), Detail: clean(d.Detail, true)}
		if d.Severity == hcl.DiagWarning {
			j.Severity = "warning"
		}
		if r := d.Subject; r != nil {
			j.Range = &JSONRange{File: r.Filename, Start: JSONPos{r.Start.Line, r.Start.Column}, End: JSONPos{r.End.Line, r.End.Column}}
			var b strings.Builder
			for i, line := range s.snippet(d) {
				if i > 0 {
					b.WriteByte('\n')
				}
				b.WriteString(line.text)
			}
			j.Snippet = b.String()
		}
		out = append(out, j)
	}
	return out
}
