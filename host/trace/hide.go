package trace

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stephost/stephost/host/runs"
)

const (
	// hideFrom is the shortest value that is hidden: shorter ones ("1", "yes")
	// are in every text and tell nothing.
	hideFrom = 4
	// hideInside is the shortest value that is hidden inside of a longer word
	// too; a shorter one there ("rain" in "training") is chance.
	hideInside = 8
	// hidden stands in its place.
	hidden = "[hidden]"
)

// filter makes what takes the step's arguments and the values of its
// environment variables out of a text: a backend may have put them into an
// error. Secrets are in no record, so they are in no text of one. Where the
// record cannot be read (another version's), what was given is not known, and
// nothing of the text is kept.
func filter(r *runs.Run) func(string) string {
	if len(r.Plan) == 0 {
		return func(text string) string { return text }
	}
	var plan struct {
		Step *struct {
			Argv []string          `json:"argv"`
			Env  map[string]string `json:"env"`
		}
	}
	if err := json.Unmarshal(r.Plan, &plan); err != nil || plan.Step == nil {
		return func(string) string { return "" }
	}
	given := slices.Clone(plan.Step.Argv)
	for _, v := range plan.Step.Env {
		given = append(given, v)
	}
	given = slices.DeleteFunc(given, func(v string) bool { return len(v) < hideFrom })
	// The longest first: a value may be a part of another.
	slices.SortFunc(given, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	given = slices.Compact(given)
	return func(text string) string {
		for _, v := range given {
			text = without(text, v)
		}
		return text
	}
}

// without is text without v.
func without(text, v string) string {
	var b strings.Builder
	for from := 0; ; {
		i := strings.Index(text[from:], v)
		if i < 0 {
			if from == 0 {
				return text
			}
			b.WriteString(text[from:])
			return b.String()
		}
		i += from
		end := i + len(v)
		b.WriteString(text[from:i])
		if len(v) >= hideInside || wordBreak(text, i) && wordBreak(text, end) {
			b.WriteString(hidden)
		} else {
			b.WriteString(v)
		}
		from = end
	}
}

// wordBreak tells whether a word begins or ends at byte i.
func wordBreak(text string, i int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:i])
	after, _ := utf8.DecodeRuneInString(text[i:])
	return i == 0 || i == len(text) || !letter(before) || !letter(after)
}

func letter(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
