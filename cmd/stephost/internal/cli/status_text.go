//go:build !front

package cli

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stephost/stephost/host/launch"
)

// statusText is the status line: what happens, why, for how long, until when at
// most.
func statusText(name string, n launch.Notice, note string, now time.Time) string {
	var b strings.Builder
	b.WriteString(subject(name, n))
	if !n.Since.IsZero() {
		b.WriteString(", " + length(now.Sub(n.Since)))
	}
	if !n.Until.IsZero() {
		if n.Since.IsZero() {
			b.WriteString(", at most until " + n.Until.Local().Format(time.TimeOnly))
		} else {
			b.WriteString(" of at most " + length(n.Until.Sub(n.Since)))
		}
	}
	if note == "" {
		note = n.Message
	}
	if note != "" {
		b.WriteString(": " + note)
	}
	return oneLine(b.String())
}

// statusPlain is the same for a pipe: a line when the phase changes.
func statusPlain(name string, n launch.Notice) string {
	text := subject(name, n)
	if n.Message != "" {
		text += ": " + n.Message
	}
	if !n.Until.IsZero() {
		text += " (at most until " + n.Until.UTC().Format(time.RFC3339) + ")"
	}
	return "-- " + oneLine(text) + " --"
}

func subject(name string, n launch.Notice) string {
	phase := n.Phase
	if phase == "" {
		phase = "waiting"
	}
	text := name + ": " + phase
	if n.Reason != "" {
		text += " (" + n.Reason + ")"
	}
	if n.Attempt > 1 {
		text += fmt.Sprintf(", attempt %d", n.Attempt)
	}
	return text
}

// length is a duration as people say it: "3s", "2m05s", "1h20m".
func length(d time.Duration) string {
	d = max(d, 0)
	switch s := int64(d.Round(time.Second) / time.Second); {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 48*3600:
		return fmt.Sprintf("%dh%02dm", s/3600, s%3600/60)
	default:
		return fmt.Sprintf("%dd%02dh", s/86400, s%86400/3600)
	}
}

// cut shortens text to width characters.
func cut(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	const mark = "..."
	r := []rune(text)
	return string(r[:max(width-len(mark), 0)]) + mark
}
