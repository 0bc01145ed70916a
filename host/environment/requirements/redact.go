package requirements

import (
	"net/url"
	"regexp"
	"strings"
	"sync"
)

// userinfo is the part of an address that holds credentials. It is compiled at
// its first use, for most commands never need it.
var userinfo = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^\s/?#@"'<>]*(?:@[^\s/?#@"'<>]*)*@`)
})

// redact removes credentials from every address in text.
func redact(text string) string {
	if !strings.Contains(text, "://") {
		return text
	}
	return userinfo().ReplaceAllString(text, "${1}***@")
}

// redactor removes credentials from an installer's output: those in addresses,
// and the values that it was given in variables or addresses, wherever they
// show up again.
type redactor struct{ values []string }

// shortestSecret keeps a short value ("pip", "__token__"'s user) from blackening
// ordinary words.
const shortestSecret = 6

func newRedactor(env environ, lines ...string) *redactor {
	r := &redactor{}
	for k, v := range env {
		if strings.HasPrefix(k, "UV_") || strings.HasPrefix(k, "PIP_") {
			if strings.HasSuffix(k, "PASSWORD") || strings.HasSuffix(k, "TOKEN") {
				r.add(v)
			}
			lines = append(lines, v)
		}
	}
	for _, l := range lines {
		for _, m := range userinfo().FindAllString(l, -1) {
			_, m, _ = strings.Cut(strings.TrimSuffix(m, "@"), "://")
			user, password, ok := strings.Cut(m, ":")
			if !ok {
				password = user // a token alone
			}
			r.add(password)
			if plain, err := url.PathUnescape(password); err == nil && plain != password {
				r.add(plain) // what the tool makes of it
			}
		}
	}
	return r
}

func (r *redactor) add(v string) {
	if len(v) >= shortestSecret {
		r.values = append(r.values, v)
	}
}

func (r *redactor) clean(text string) string {
	text = redact(text)
	for _, v := range r.values {
		text = strings.ReplaceAll(text, v, "***")
	}
	return text
}

// userinfoSecret says whether an address in the line holds a password or token,
// as written; "git@" is none, and neither is a variable.
func userinfoSecret(line string) bool {
	r := newRedactor(nil, line)
	for _, v := range r.values {
		if !strings.HasPrefix(v, "${") {
			return true
		}
	}
	return false
}
