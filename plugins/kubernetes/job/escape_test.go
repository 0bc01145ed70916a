package job

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// expand is Kubernetes' expansion as its API documents it (k8s.io/api core/v1,
// Container.Command): $(NAME) becomes the variable's value if there is one, "$$"
// becomes "$", everything else stays.
func expand(s string, value func(string) (string, bool)) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '$' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		switch s[i+1] {
		case '$':
			b.WriteByte('$')
			i++
		case '(':
			end := strings.IndexByte(s[i:], ')')
			if end < 0 {
				b.WriteString("$(")
				i++
				continue
			}
			name := s[i+2 : i+end]
			if v, ok := value(name); ok {
				b.WriteString(v)
			} else {
				b.WriteString("$(" + name + ")")
			}
			i += end
		default:
			b.WriteByte('$')
		}
	}
	return b.String()
}

func every(string) (string, bool) { return "EXPANDED", true }

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"":               "",
		"plain":          "plain",
		"$HOME":          "$HOME",
		"cost: 5$":       "cost: 5$",
		"$(HOME)":        "$$(HOME)",
		"$$":             "$$$$",
		"$$(HOME)":       "$$$$(HOME)",
		"$$$(HOME)":      "$$$$$$(HOME)",
		"a$(b)c$(d)":     "a$$(b)c$$(d)",
		"$(":             "$$(",
		"$()":            "$$()",
		"$(a$(b))":       "$$(a$$(b))",
		"${{x}} $ $x $$": "${{x}} $ $x $$$$",
		"\r\n$(X)\x01":   "\r\n$$(X)\x01",
	} {
		assert.Equal(t, want, escape(in))
		assert.Equal(t, in, expand(escape(in), every))
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"$(A)", "$$$(A)$", "$($(A)", "a$b$$c", "$)($"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := expand(escape(s), every); got != s {
			t.Fatalf("%q arrives as %q", s, got)
		}
	})
}
