package job

import "strings"

// escape makes a text that Kubernetes expands to s. In command, args and the
// values of env, $(NAME) becomes the variable's value and $$ becomes $
// (k8s.io/api core/v1 types.go, Container.Command); nothing else is touched. So
// only a run of two or more "$", or one before "(", is doubled, and most texts
// look in a plan as they were written.
func escape(s string) string {
	if !strings.Contains(s, "$(") && !strings.Contains(s, "$$") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		n := 0
		for i+n < len(s) && s[i+n] == '$' {
			n++
		}
		if n == 0 {
			b.WriteByte(s[i])
			i++
			continue
		}
		i += n
		if n > 1 || i < len(s) && s[i] == '(' {
			n *= 2
		}
		b.WriteString(strings.Repeat("$", n))
	}
	return b.String()
}

func escapeAll(texts []string) []string {
	out := make([]string, len(texts))
	for i, s := range texts {
		out[i] = escape(s)
	}
	return out
}
