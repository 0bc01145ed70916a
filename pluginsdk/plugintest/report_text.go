package plugintest

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// WriteText writes the report as a table for people.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Conformance of flavor %s %s (%s tier, kind %s)\n", r.Flavor, r.Version, r.Tier, r.Kind)
	if r.SDK != "" {
		fmt.Fprintf(&b, "SDK: %s\n", r.SDK)
	}
	b.WriteByte('\n')
	width := 0
	for _, x := range r.Results {
		width = max(width, len(x.ID))
	}
	for _, x := range r.Results {
		fmt.Fprintf(&b, "%-6s  %-*s  %s\n", x.Outcome, width, x.ID, x.Says)
		if x.Detail != "" {
			for line := range strings.Lines(x.Detail) {
				fmt.Fprintf(&b, "        %-*s    %s\n", width, "", strings.TrimRight(line, "\n"))
			}
		}
	}
	fmt.Fprintf(&b, "\n%d passed, %d failed, %d waived, %d absent; %d jobs; %s\n",
		len(r.with(Pass)), len(r.with(Fail)), len(r.with(Waived)), len(r.with(Absent)), r.Jobs,
		time.Duration(r.Seconds*float64(time.Second)).Round(time.Millisecond))
	for _, name := range r.Left {
		fmt.Fprintf(&b, "A job may be left on the backend: %s\n", name)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"`
	Stamp    string      `xml:"timestamp,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitMessage `xml:"failure,omitempty"`
	Skipped *junitMessage `xml:"skipped,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes the report as JUnit XML. Absent and waived checks are skipped
// cases with a message.
func (r *Report) WriteJUnit(w io.Writer) error {
	seconds := func(s float64) string { return fmt.Sprintf("%.3f", s) }
	s := junitSuite{
		Name: "stephost conformance of " + r.Flavor + " " + r.Version, Tests: len(r.Results),
		Failures: len(r.with(Fail)), Skipped: len(r.with(Absent)) + len(r.with(Waived)),
		Time: seconds(r.Seconds), Stamp: r.Started.UTC().Format("2006-01-02T15:04:05"),
	}
	for _, x := range r.Results {
		c := junitCase{Class: "stephost.conformance." + r.Flavor, Name: x.ID + ": " + x.Says, Time: seconds(x.Seconds)}
		switch x.Outcome {
		case Fail:
			c.Failure = &junitMessage{Message: firstLine(x.Detail), Text: x.Detail}
		case Absent, Waived:
			c.Skipped = &junitMessage{Message: string(x.Outcome) + ": " + firstLine(x.Detail)}
		}
		s.Cases = append(s.Cases, c)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(s); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// maxDetail bounds what of a plugin's words stands in a report.
const maxDetail = 4 << 10

// printable makes a plugin's words safe for a terminal and for XML.
func printable(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit] + " ... (cut)"
	}
	return strings.Map(func(c rune) rune {
		if c == utf8.RuneError || (c < ' ' && c != '\n' && c != '\t') || (c >= 0x7f && c < 0xa0) {
			return '?'
		}
		return c
	}, strings.ToValidUTF8(s, "?"))
}
