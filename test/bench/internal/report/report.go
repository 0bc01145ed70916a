package report

import (
	"fmt"
	"io"
	"math"
	"sync"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/stephost/stephost/test/bench/internal/stats"
)

// Line is one line of the table.
type Line struct {
	// What is measured.
	What string
	// Sample holds the measurements; Unit is theirs.
	Sample stats.Sample
	Unit   string
	// Goal as a person reads it; "" = a figure without a goal.
	Goal string
	// Holds is told only for lines with a Goal.
	Holds bool
	// Note is anything else that belongs to the line.
	Note string
}

// One is a sample of one measurement.
func One(v float64) stats.Sample { return stats.Sample{v} }

// Report collects lines and notes. Safe for concurrent use.
type Report struct {
	mu       sync.Mutex
	sections []section
}

type section struct {
	title string
	lines []Line
	notes []string
}

// Section begins a new part; lines and notes go into the newest one.
func (r *Report) Section(title string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sections = append(r.sections, section{title: title})
}

// Add adds a line.
func (r *Report) Add(l Line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.sections[len(r.sections)-1]
	s.lines = append(s.lines, l)
}

// Note adds a remark below the lines of the section.
func (r *Report) Note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.sections[len(r.sections)-1]
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

// Write prints the newest section, as plain text or as Markdown.
func (r *Report) Write(w io.Writer, markdown bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sections[len(r.sections)-1]
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"what", "median", "p10", "p90", "n", "unit", "goal", "holds", "note"})
	for _, l := range s.lines {
		p10, p90 := l.Sample.Spread()
		t.AppendRow(table.Row{l.What, number(l.Sample.Median()), number(p10), number(p90), len(l.Sample), l.Unit, l.Goal, verdict(l), l.Note})
	}
	text, heading := t.Render(), s.title
	if markdown {
		text, heading = t.RenderMarkdown(), "### "+s.title+"\n"
	}
	if _, err := fmt.Fprintf(w, "\n%s\n%s\n", heading, text); err != nil {
		return err
	}
	for _, n := range s.notes {
		if markdown {
			n = "\n" + n
		}
		if _, err := fmt.Fprintln(w, n); err != nil {
			return err
		}
	}
	return nil
}

// Missed is the number of goals that do not hold.
func (r *Report) Missed() (missed, goals int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.sections {
		for _, l := range s.lines {
			if l.Goal == "" {
				continue
			}
			goals++
			if !l.Holds {
				missed++
			}
		}
	}
	return missed, goals
}

func verdict(l Line) string {
	switch {
	case l.Goal == "":
		return ""
	case l.Holds:
		return "holds"
	default:
		return "does not hold"
	}
}

// number prints three digits or more, and no false precision.
func number(v float64) string {
	a := math.Abs(v)
	switch {
	case math.IsNaN(v):
		return "-"
	case a >= 100 || a == math.Trunc(a):
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}
